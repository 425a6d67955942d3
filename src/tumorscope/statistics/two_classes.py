"""Probabilities of a tumour → every metric of a report, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.classes import CLASSES
from tumorscope.common.errors import InputError
from tumorscope.statistics import delong, wilson
from tumorscope.statistics.calibration_error import bin_count, expected_calibration_error
from tumorscope.statistics.estimate import Bootstrap, Estimate, Statistic, Undefined
from tumorscope.statistics.metrics import CLIP, NAMES, Metrics, Split
from tumorscope.statistics.one_class import OneClass, confusion

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]

PROPORTIONS = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
"""Metrics that are shares of images, and get Wilson's interval."""

BY_IMAGES = (*PROPORTIONS, "auc")
"""Metrics whose interval counts images; that of the others comes from resampling groups."""

BY_GROUP = ("accuracy", "auc", "sensitivity", "specificity")
"""Metrics that get a second interval, which does not take near-duplicates for independent."""


def evaluate_scores(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    groups: ArrayLike,
    sources: ArrayLike | None = None,
    threshold: float = 0.5,
    split: Split = "grouped",
    n_resamples: int = 2000,
    seed: int = 0,
) -> Metrics:
    """Return every metric with a 95 % interval.

    Proportions get Wilson's interval, AUC DeLong's, the others a bootstrap of groups.

    Parameters
    ----------
    labels : array_like of shape (n,)
        Reference standard: 1 tumour, 0 no tumour.
    scores : array_like of shape (n,) or (n, repeats)
        Probability of tumour, 0..1. With repeats (repeated cross-validation) each metric is the
        mean over repeats, and every interval is that of n images, never of n × repeats.
    groups : array_like of shape (n,)
        What a split must keep together: near-duplicates, one patient.
    sources : array_like of shape (n,), optional
        Where each image comes from; with several, each gets its own metrics.
    threshold : float
        Operating point, 0..1; scores at or above it are called tumours.
    split : {"grouped", "random"}
        How training and testing images were separated; recorded, not checked.
    n_resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If there are no images, lengths differ, a label is neither 0 nor 1, or a score is not a
        number between 0 and 1.

    Examples
    --------
    >>> found = evaluate_scores([1, 1, 0, 0], [0.9, 0.4, 0.2, 0.1], groups=["a", "b", "c", "d"])
    >>> found.metrics["sensitivity"].value
    0.5
    >>> found.confusion
    ((2.0, 0.0), (1.0, 1.0))
    """
    truth, columns = check_scores(labels, scores, threshold=threshold)
    group = _column(groups, "groups", len(truth))
    source = None if sources is None else _column(sources, "sources", len(truth))

    def of(chosen: NDArray[np.bool_]) -> Metrics:
        bootstrap = Bootstrap(group[chosen], n_resamples, seed)
        return _evaluate(truth[chosen], columns[chosen], threshold, bootstrap, split)

    whole = of(np.ones(len(truth), dtype=bool))
    names = [] if source is None else sorted(set(source.tolist()))
    if len(names) < 2:
        return whole
    return replace(whole, per_source={str(name): of(source == name) for name in names})


def check_scores(
    labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5
) -> tuple[Labels, Scores]:
    """Return labels [n] and scores [n, repeats], or say what is wrong with them.

    Raises
    ------
    InputError
        As `evaluate_scores`.
    """
    truth, columns = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if truth.ndim != 1 or columns.ndim != 2 or columns.shape[1] == 0 or len(truth) != len(columns):
        raise InputError(
            f"Received labels of shape {truth.shape} and scores of shape {np.shape(scores)}. "
            "Expected [n] labels and [n] or [n, repeats] scores, one row per image. Check that "
            "both come from the same list of images."
        )
    if not len(truth):
        raise InputError(
            "Received no scored images. Expected at least one. Check that the split or folder to "
            "be evaluated is not empty."
        )
    if not np.isin(truth, (0, 1)).all():
        odd = sorted({str(value) for value in truth.tolist() if value not in (0, 1)})
        raise InputError(
            f"Received labels {', '.join(odd[:3])}. Expected 1 (tumour) or 0 (no tumour). Leave "
            "out images without a reference standard."
        )
    bad = ~((columns >= 0) & (columns <= 1))
    if bad.any():
        raise InputError(
            f"Received {int(bad.sum())} score(s) that are no probability, the first "
            f"{columns[bad][0]:g} at image {int(np.argwhere(bad)[0, 0])}. Expected finite numbers "
            "between 0 and 1. Pass probabilities, not logits, and look for failed predictions."
        )
    if not 0 <= threshold <= 1:
        raise InputError(
            f"Received {threshold:g} as operating point. Expected a probability between 0 and 1."
        )
    return truth.astype(np.int64), columns


def tumour_calls(labels: Labels, scores: Scores, threshold: float) -> OneClass:
    """Return which images show a tumour, and which are called so: those from `threshold` up.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1.
    scores : ndarray of shape (n, repeats)
        Probability of tumour.
    threshold : float
    """
    return OneClass((labels == 1)[:, None], scores >= threshold, scores)


def _evaluate(
    labels: Labels, scores: Scores, threshold: float, bootstrap: Bootstrap, split: Split
) -> Metrics:
    tumour = tumour_calls(labels, scores, threshold)
    statistics = _statistics(labels, scores) | {
        name: tumour.statistic(name) for name in (*BY_IMAGES, "f1", "mcc")
    }
    undefined = _undefined(tumour.counts())

    def by_images(name: str) -> Estimate:
        if name == "auc":
            return delong(labels, scores)
        share = tumour.ratio(name)
        value = float(share.of_all.mean())
        # Over repeats the number of calls varies, and its mean need not be whole.
        return wilson(min(value * share.trials, share.trials), share.trials)

    return Metrics(
        classes=CLASSES,
        n_of_class=(int((labels == 0).sum()), int(labels.sum())),
        n_groups=len(np.unique(bootstrap.groups)),
        repeats=scores.shape[1],
        split=split,
        threshold=threshold,
        metrics={
            name: undefined.get(name)
            or (by_images(name) if name in BY_IMAGES else bootstrap(statistics[name]))
            for name in NAMES
        },
        by_group={name: undefined.get(name) or bootstrap(statistics[name]) for name in BY_GROUP},
        confusion=confusion(labels, tumour.called.astype(np.int64), 2),
    )


def _statistics(labels: Labels, scores: Scores) -> dict[str, Statistic]:
    """Return the statistics of the probabilities themselves, whatever the threshold."""
    n_bins = bin_count(len(labels))
    safe = np.clip(scores, CLIP, 1 - CLIP)
    losses = -np.log(np.where(labels[:, None] == 1, safe, 1 - safe))
    squares = (scores - labels[:, None]) ** 2

    def ece(index: NDArray[np.intp]) -> NDArray[np.float64]:
        truth, columns = labels[index], scores[index].T
        return np.array([expected_calibration_error(truth, s, n_bins=n_bins) for s in columns])

    return {
        "log_loss": lambda index: np.asarray(losses[index].mean(axis=0)),
        "brier": lambda index: np.asarray(squares[index].mean(axis=0)),
        "ece": ece,
    }


def _undefined(counts: NDArray[np.float64]) -> Mapping[str, Undefined]:
    """Return why some metrics do not exist for these counts [repeats, 4]."""
    tn, fp, fn, tp = counts.T
    again = " in at least one repeat" if len(counts) > 1 else ""
    no_tumour = tp + fn == 0, "no image with a tumour"
    all_tumours = tn + fp == 0, "no image without a tumour"
    none_called = tp + fp == 0, f"no image was called a tumour{again}"
    all_called = tn + fn == 0, f"no image was called tumour-free{again}"
    needs = {
        "auc": (no_tumour, all_tumours),
        "sensitivity": (no_tumour,),
        "specificity": (all_tumours,),
        "ppv": (none_called,),
        "npv": (all_called,),
        "f1": ((tp + fp + fn == 0, "no tumour, and none called"),),
        "mcc": (no_tumour, all_tumours, none_called, all_called),
    }
    return {
        name: Undefined(next(words for missing, words in conditions if missing.any()))
        for name, conditions in needs.items()
        if any(missing.any() for missing, _ in conditions)
    }


def _column(values: ArrayLike, name: str, n: int) -> NDArray[np.str_]:
    column = np.asarray(values).astype(np.str_)
    if column.shape != (n,):
        raise InputError(
            f"Received {name} of shape {column.shape} for {n} images. Expected one per image."
        )
    return column
