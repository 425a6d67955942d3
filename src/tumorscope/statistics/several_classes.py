"""Scores of several classes → the metrics of each and of all, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics.estimate import Bootstrap, Estimate, Statistic, Undefined
from tumorscope.statistics.metrics import CLIP, OF_ALL_CLASSES, Metrics, Split
from tumorscope.statistics.one_class import OneClass, confusion

OF_EACH_CLASS = ("sensitivity", "specificity", "ppv", "f1", "auc")
"""Metrics of one class against all others."""

MEANS = {"balanced_accuracy": "sensitivity", "macro_f1": "f1", "macro_auc": "auc"}
"""Mean over the classes → of which metric; undefined where a class has no image."""


def evaluate_classes(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    classes: Sequence[str],
    groups: ArrayLike,
    split: Split = "grouped",
    n_resamples: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Return every metric of several classes with a 95 % interval from resampling groups.

    An image is called the class with the highest score.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Reference standard: positions in `classes`.
    scores : array_like of float, shape (n, classes) or (n, repeats, classes)
        Probabilities; each row sums to 1.
    classes : sequence of str
        Names.
    groups, split, n_resamples, seed
        As for `tumorscope.statistics.two_classes.evaluate_scores`; so are repeats.

    Raises
    ------
    InputError
        If shapes do not fit, a label is no class, or rows are no probabilities.

    References
    ----------
    One class against all others: Hand & Till, Mach. Learn. 45 (2001) 171-186, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> found = evaluate_classes(
    ...     [0, 1, 2, 1], np.eye(3)[[0, 1, 2, 2]], classes=("a", "b", "c"), groups=range(4)
    ... )
    >>> found.metrics["accuracy"].value
    0.75
    """
    truth, cube, names = _checked(labels, scores, classes, groups)
    bootstrap = Bootstrap(names, n_resamples, seed)
    calls = cube.argmax(axis=2)
    parts = {
        name: OneClass((truth == place)[:, None], calls == place, cube[:, :, place])
        for place, name in enumerate(classes)
    }
    return Metrics(
        classes=tuple(classes),
        n_of_class=tuple(int(part.held.sum()) for part in parts.values()),
        n_groups=len(np.unique(names)),
        repeats=cube.shape[1],
        split=split,
        metrics=_of_all_classes(truth, cube, parts, bootstrap),
        per_class={name: _of_class(part, bootstrap) for name, part in parts.items()},
        confusion=confusion(truth, calls, len(classes)),
    )


def _of_class(part: OneClass, bootstrap: Bootstrap) -> dict[str, Estimate]:
    undefined: dict[str, Estimate] = {}
    if not part.held.any():
        why = Undefined("no image of this class")
        undefined = dict.fromkeys(("sensitivity", "ppv", "f1", "auc"), why)
    elif part.held.all():
        why = Undefined("no image of other classes")
        undefined = dict.fromkeys(("specificity", "ppv", "auc"), why)
    held: NDArray[np.bool_] = np.asarray(part.held[:, 0])
    among: dict[str, NDArray[np.bool_]] = {  # images of which each is a share, if not of `held`
        "specificity": ~held,
        "ppv": np.asarray(part.called.any(axis=1)),
        "auc": held if 2 * held.sum() <= len(held) else ~held,  # of the smaller side
    }
    return {
        metric: undefined.get(metric)
        or bootstrap(part.statistic(metric), among=among.get(metric, held))
        for metric in OF_EACH_CLASS
    }


def _of_all_classes(
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    parts: Mapping[str, OneClass],
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    right = scores.argmax(axis=2) == labels[:, None]
    given = np.take_along_axis(scores, labels[:, None, None], axis=2)[:, :, 0]
    losses = -np.log(np.clip(given, CLIP, 1.0))
    statistics: dict[str, Statistic] = {
        "accuracy": lambda index: np.asarray(right[index].mean(axis=0)),
        "log_loss": lambda index: np.asarray(losses[index].mean(axis=0)),
        **{
            name: partial(_mean, [part.statistic(metric) for part in parts.values()])
            for name, metric in MEANS.items()
        },
    }
    absent = [name for name, part in parts.items() if not part.held.any()]
    missing = Undefined(f"no image of {', '.join(absent)}, so no mean over the classes")
    among = {"accuracy": np.ones(len(labels), dtype=bool)}
    return {
        name: missing
        if absent and name in MEANS
        else bootstrap(statistics[name], among=among.get(name))
        for name in OF_ALL_CLASSES
    }


def _mean(statistics: Sequence[Statistic], index: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.asarray(np.mean([statistic(index) for statistic in statistics], axis=0))


def _checked(
    labels: ArrayLike, scores: ArrayLike, classes: Sequence[str], groups: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.str_]]:
    truth, cube = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    cube = cube[:, None, :] if cube.ndim == 2 else cube
    names = np.asarray(groups).astype(np.str_)
    wanted = (len(truth), cube.shape[1] if cube.ndim == 3 else 1, len(classes))
    if not len(truth) or cube.shape != wanted or names.shape != truth.shape:
        raise InputError(
            f"Received labels of shape {truth.shape}, scores of shape {np.shape(scores)} and "
            f"groups of shape {names.shape} for {len(classes)} classes. Expected at least one "
            "image, and per image a label, a group and one score per class."
        )
    if not np.isin(truth, np.arange(len(classes))).all():
        raise InputError(
            f"Received labels from {truth.min()} to {truth.max()}. Expected whole numbers from 0 "
            f"to {len(classes) - 1}, for {', '.join(classes)}."
        )
    sums = cube.sum(axis=2)
    if not ((cube >= 0).all() and np.allclose(sums, 1.0, atol=1e-3)):
        raise InputError(
            f"Received scores whose rows sum to between {sums.min():g} and {sums.max():g}. "
            "Expected probabilities that sum to 1 over the classes."
        )
    return truth.astype(np.int64), cube, names
