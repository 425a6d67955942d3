"""Labels and scores → every figure of a report, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics import Interval, auc_and_variance, cluster_bootstrap, delong, wilson
from tumorscope.statistics.calibration_error import bin_count, expected_calibration_error
from tumorscope.statistics.copies import Copies

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]
Split = Literal["grouped", "random"]

CLIP = 1e-7
"""Log loss is taken of probabilities clipped to [CLIP, 1 − CLIP], as Keras does."""

NAMES = {
    "accuracy": "Accuracy",
    "auc": "AUC",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "f1": "F1 score",
    "mcc": "Matthews correlation",
}
"""Every metric, in the order of tables, with its name for people."""

BY_GROUP = ("accuracy", "auc", "sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class Undefined:
    """A figure, or at least its interval, that these data cannot give.

    Attributes
    ----------
    reason : str
        Why not, in words.
    value : float, optional
        The figure, where only the interval is lacking.
    """

    reason: str
    value: float | None = None

    def to_json(self) -> dict[str, float | str | None]:
        """Return nulls and the reason, in the shape of an interval."""
        return {
            "value": self.value,
            "low": None,
            "high": None,
            "method": None,
            "reason": self.reason,
        }


Estimate = Interval | Undefined


@dataclass(frozen=True, slots=True)
class Metrics:
    """All figures of one evaluation.

    Attributes
    ----------
    n, n_positive, n_groups, repeats : int
        Images, those with a tumour, groups, and how often each image was scored.
    split : {"grouped", "random"}
        Whether groups were kept together.
    threshold : float
        Operating point: a score at or above it is called a tumour.
    metrics : mapping of str to Interval or Undefined
        One entry per key of `NAMES`.
    by_group : mapping of str to Interval or Undefined
        Accuracy, AUC, sensitivity and specificity with an interval from resampling groups, which
        does not take near-duplicates for independent images.
    confusion : ((tn, fp), (fn, tp))
        Counts; with repeats the mean over repeats, so that each row still sums to its class.
    per_source : mapping of str to Metrics
        The same for each source, where there are several; else empty.
    raw, answered : Metrics or None
        Of a detector: of its network's own score at 0.5, and of the images that it answers (None
        where it answers none); see `tumorscope.statistics.answers`.
    abstained, refused : Interval or None
        Of a detector: share of all images without an answer, and of those that it refuses.
    copies : Copies or None
        Of a random split, where it is known: testing images with a copy on the other side.
    external : bool
        Whether the images come from elsewhere; then no split parted them, whatever `split` says.
    """

    n: int
    n_positive: int
    n_groups: int
    repeats: int
    split: Split
    threshold: float
    metrics: Mapping[str, Estimate]
    by_group: Mapping[str, Estimate]
    confusion: tuple[tuple[float, float], tuple[float, float]]
    per_source: Mapping[str, Metrics] = field(default_factory=dict)
    raw: Metrics | None = None
    answered: Metrics | None = None
    abstained: Interval | None = None
    refused: Interval | None = None
    copies: Copies | None = None
    external: bool = False

    def cautious(self, name: str) -> Estimate:
        """Return a figure with the wider of its intervals: by images, or by groups.

        Images of one group are alike, so an interval that counts each of them may be too narrow;
        near 0 and 1 and with few groups resampling is.
        """
        by_images, by_groups = self.metrics[name], self.by_group.get(name)
        if not isinstance(by_groups, Interval) or not isinstance(by_images, Interval):
            return by_images
        wider = by_groups.high - by_groups.low > by_images.high - by_images.low
        return by_groups if wider else by_images

    def to_json(self) -> dict[str, object]:
        """Return the content of ``metrics.json``; undefined figures are null, with a reason."""
        document: dict[str, object] = {
            "n": self.n,
            "n_positive": self.n_positive,
            "n_groups": self.n_groups,
            "repeats": self.repeats,
            "split": self.split,
            "threshold": self.threshold,
            "metrics": {name: found.to_json() for name, found in self.metrics.items()},
            "by_group": {name: found.to_json() for name, found in self.by_group.items()},
            "confusion": [
                [int(count) if self.repeats == 1 else count for count in row]
                for row in self.confusion
            ],
        }
        if self.per_source:
            document["per_group_of"] = {
                "source": {name: found.to_json() for name, found in self.per_source.items()}
            }
        document |= self._of_answers()
        if self.external:
            document["external"] = True
        if self.copies is not None:
            document["copies"] = self.copies.to_json()
        return document

    def _of_answers(self) -> dict[str, object]:
        if self.raw is None or self.abstained is None or self.refused is None:
            return {}
        shares = {"abstained": self.abstained, "refused": self.refused}
        none: dict[str, object] = {"n": 0, "reason": "no image was answered"}
        return {
            "raw": self.raw.to_json(),
            **{
                name: {"n": round(share.value * self.n), **share.to_json()}
                for name, share in shares.items()
            },
            "answered": none if self.answered is None else self.answered.to_json(),
        }

    def table(self) -> str:
        """Return an aligned table of the figures for the terminal."""
        width = max(map(len, NAMES.values()))
        lines = [f"{'':{width}}   value   95 % interval"]
        for name in self.metrics:
            found = self.cautious(name)
            if isinstance(found, Undefined):
                value = "     -" if found.value is None else f"{found.value:6.3f}"
                words = f"{value}   {found.reason}"
            else:
                words = f"{found.value:6.3f}   {found.low:.3f} to {found.high:.3f}"
            lines.append(f"{NAMES[name]:{width}}  {words}")
        parted = "external images" if self.external else f"{self.split} split"
        again = f", each scored {self.repeats} times" if self.repeats > 1 else ""
        lines.append(
            f"{self.n} images ({self.n_positive} tumour) in {self.n_groups} groups{again}; "
            f"{parted}; operating point {self.threshold:.3g}"
        )
        if self.copies is not None:
            lines.append(self.copies.words())
        return "\n".join(lines + self._answers_in_words())

    def _answers_in_words(self) -> list[str]:
        if self.raw is None or self.abstained is None or self.refused is None:
            return []
        held_back = [
            f"{verb} {round(share.value * self.n)}"
            for verb, share in (("abstains on", self.abstained), ("refuses", self.refused))
        ]
        count = 0 if self.answered is None else self.answered.n
        lines = [
            f"Above, every image is called by the operating point. The detector answers {count} of "
            f"them, {' and '.join(held_back)}."
        ]
        if self.answered is not None:
            lines.append(f"Among the answered: {self.answered._short()}.")
        return [*lines, f"Raw score at {self.raw.threshold:g}: {self.raw._short()}."]

    def _short(self) -> str:
        figures = []
        for name in ("accuracy", "auc", "sensitivity", "specificity", "log_loss"):
            found = self.cautious(name)
            words = "-" if found.value is None else f"{found.value:.3f}"
            if isinstance(found, Interval):
                words += f" ({found.low:.3f} to {found.high:.3f})"
            figures.append(f"{NAMES[name] if name == 'auc' else NAMES[name].lower()} {words}")
        return ", ".join(figures)


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

    Proportions (accuracy, sensitivity, specificity, predictive values) get Wilson's interval, AUC
    DeLong's, the others a bootstrap of groups.

    Parameters
    ----------
    labels : array_like of shape (n,)
        Reference standard: 1 tumour, 0 no tumour.
    scores : array_like of shape (n,) or (n, repeats)
        Probability of tumour, 0..1. With repeats (repeated cross-validation) each metric is the
        mean over repeats, and every interval is that of n images, never of n × repeats.
    groups : array_like of shape (n,)
        What a split must not part: near-duplicates, one patient.
    sources : array_like of shape (n,), optional
        Where each image comes from; with several, each gets its own metrics.
    threshold : float
        Operating point, 0..1; scores at or above it are called tumours.
    split : {"grouped", "random"}
        How training and testing images were parted; recorded, not checked.
    n_resamples : int
        Bootstrap resamples.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    InputError
        If there are no images, lengths differ, a label is neither 0 nor 1, or a score is not a
        number between 0 and 1.
    """
    truth, columns = check_scores(labels, scores, threshold=threshold)
    if n_resamples < 1:
        raise InputError(
            f"Received {n_resamples} bootstrap resamples. Expected 1 or more; use 2000."
        )
    group = _column(groups, "groups", len(truth))
    source = None if sources is None else _column(sources, "sources", len(truth))
    whole = _evaluate(truth, columns, group, threshold, split, n_resamples, seed)
    names = [] if source is None else sorted(set(source.tolist()))
    if source is None or len(names) < 2:
        return whole
    parts = {
        str(name): _evaluate(
            truth[source == name],
            columns[source == name],
            group[source == name],
            threshold,
            split,
            n_resamples,
            seed,
        )
        for name in names
    }
    return replace(whole, per_source=parts)


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


def confusion_counts(labels: Labels, scores: Scores, threshold: float) -> NDArray[np.float64]:
    """Return [repeats, 4] counts: true negatives, false positives, false negatives, true positives.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    scores : ndarray of shape (n, repeats)
    threshold : float
        Scores at or above it are called tumours.
    """
    called = scores >= threshold
    positive = labels[:, None] == 1
    cells = [~positive & ~called, ~positive & called, positive & ~called, positive & called]
    return np.stack([cell.sum(axis=0) for cell in cells], axis=1).astype(np.float64)


def log_losses(labels: Labels, scores: Scores) -> NDArray[np.float64]:
    """Return the binary cross-entropy (natural logarithm) of each repeat, clipped at `CLIP`."""
    safe = np.clip(scores, CLIP, 1 - CLIP)
    losses: NDArray[np.float64] = -np.log(np.where(labels[:, None] == 1, safe, 1 - safe))
    return np.asarray(losses.mean(axis=0))


def _evaluate(
    labels: Labels,
    scores: Scores,
    groups: NDArray[np.str_],
    threshold: float,
    split: Split,
    n_resamples: int,
    seed: int,
) -> Metrics:
    counts = confusion_counts(labels, scores, threshold)
    statistics = _statistics(threshold, bin_count(len(labels)))
    metrics: dict[str, Estimate] = {}
    by_group: dict[str, Estimate] = {}
    resampled = set(NAMES) - {"ppv", "npv"}
    for name, statistic in statistics.items():
        reason = _why_undefined(name, counts)
        if reason:
            metrics[name] = Undefined(reason)
            if name in BY_GROUP:
                by_group[name] = Undefined(reason)
            continue
        if name in resampled:
            found = _bootstrap(statistic, labels, scores, groups, n_resamples, seed)
            if name in BY_GROUP:
                by_group[name] = found
            else:
                metrics[name] = found
        if name == "auc":
            metrics[name] = delong(labels, scores)
        elif name not in metrics:
            metrics[name] = _proportion(name, float(np.mean(statistic(labels, scores))), counts)
    mean = counts.mean(axis=0)
    return Metrics(
        n=len(labels),
        n_positive=int(labels.sum()),
        n_groups=len(np.unique(groups)),
        repeats=scores.shape[1],
        split=split,
        threshold=threshold,
        metrics={name: metrics[name] for name in NAMES},
        by_group=by_group,
        confusion=((float(mean[0]), float(mean[1])), (float(mean[2]), float(mean[3]))),
    )


Statistic = Callable[[Labels, Scores], NDArray[np.float64]]


def _statistics(threshold: float, n_bins: int) -> dict[str, Statistic]:
    """Each maps labels [n] and scores [n, repeats] to [repeats] figures, NaN where undefined."""

    def of_counts(top: tuple[int, ...], bottom: tuple[int, ...]) -> Statistic:
        def ratio(labels: Labels, scores: Scores) -> NDArray[np.float64]:
            counts = confusion_counts(labels, scores, threshold)
            return _ratio(counts[:, top].sum(axis=1), counts[:, bottom].sum(axis=1))

        return ratio

    def auc(labels: Labels, scores: Scores) -> NDArray[np.float64]:
        if not 0 < labels.sum() < len(labels):
            return np.full(scores.shape[1], np.nan)
        return np.array([auc_and_variance(labels, column)[0] for column in scores.T])

    def brier(labels: Labels, scores: Scores) -> NDArray[np.float64]:
        return np.asarray(((scores - labels[:, None]) ** 2).mean(axis=0))

    def ece(labels: Labels, scores: Scores) -> NDArray[np.float64]:
        columns = scores.T
        return np.array([expected_calibration_error(labels, s, n_bins=n_bins) for s in columns])

    def mcc(labels: Labels, scores: Scores) -> NDArray[np.float64]:
        tn, fp, fn, tp = confusion_counts(labels, scores, threshold).T
        marginals = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return _ratio(tp * tn - fp * fn, np.sqrt(marginals))

    tn, fp, fn, tp = range(4)
    return {
        "accuracy": of_counts((tn, tp), (tn, fp, fn, tp)),
        "auc": auc,
        "log_loss": log_losses,
        "brier": brier,
        "ece": ece,
        "sensitivity": of_counts((tp,), (tp, fn)),
        "specificity": of_counts((tn,), (tn, fp)),
        "ppv": of_counts((tp,), (tp, fp)),
        "npv": of_counts((tn,), (tn, fn)),
        "f1": of_counts((tp, tp), (tp, tp, fp, fn)),
        "mcc": mcc,
    }


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(len(top), np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found


def _why_undefined(name: str, counts: NDArray[np.float64]) -> str | None:
    """Return in words why a metric does not exist for these counts [repeats, 4], or None."""
    tn, fp, fn, tp = counts.T
    conditions = {
        "no image with a tumour": (tp + fn == 0).any(),
        "no image without a tumour": (tn + fp == 0).any(),
        "no image was called a tumour": (tp + fp == 0).any(),
        "no image was called tumour-free": (tn + fn == 0).any(),
        "no tumour, and none called": (tp + fp + fn == 0).any(),
    }
    needs = {
        "auc": ("no image with a tumour", "no image without a tumour"),
        "sensitivity": ("no image with a tumour",),
        "specificity": ("no image without a tumour",),
        "ppv": ("no image was called a tumour",),
        "npv": ("no image was called tumour-free",),
        "f1": ("no tumour, and none called",),
        "mcc": tuple(conditions)[:4],
    }
    broken = [condition for condition in needs.get(name, ()) if conditions[condition]]
    if not broken:
        return None
    called = broken[0].startswith("no image was called")
    return broken[0] + (" in at least one repeat" if called and len(counts) > 1 else "")


def _proportion(name: str, value: float, counts: NDArray[np.float64]) -> Interval:
    tn, fp, fn, tp = counts.mean(axis=0)
    trials = {
        "accuracy": tn + fp + fn + tp,
        "sensitivity": tp + fn,
        "specificity": tn + fp,
        "ppv": tp + fp,
        "npv": tn + fn,
    }[name]
    # Over repeats the number of calls varies, and its mean need not be whole.
    n = max(1, round(float(trials)))
    return wilson(min(value * n, n), n)


def _bootstrap(
    statistic: Statistic,
    labels: Labels,
    scores: Scores,
    groups: NDArray[np.str_],
    n_resamples: int,
    seed: int,
) -> Estimate:
    def of_images(index: NDArray[np.intp]) -> float:
        return float(np.mean(statistic(labels[index], scores[index])))

    value = of_images(np.arange(len(labels)))
    try:
        found = cluster_bootstrap(of_images, groups, n_resamples=n_resamples, seed=seed)
    except InputError:
        # With one group, or a class in one group of many, resampling says nothing.
        return Undefined("too few groups to resample for an interval", value)
    if found.high - found.low < 1e-12:
        return Undefined("the same in every resample, which is no interval", value)
    if found.low <= value <= found.high:
        return found
    # Resampling repeats images, which makes ECE larger; the interval must still hold its value.
    low, high = min(found.low, value), max(found.high, value)
    return Interval(value, low, high, found.method + ", widened to hold the value")


def _column(values: ArrayLike, name: str, n: int) -> NDArray[np.str_]:
    column = np.asarray(values).astype(np.str_)
    if column.shape != (n,):
        raise InputError(
            f"Received {name} of shape {column.shape} for {n} images. Expected one per image."
        )
    return column
