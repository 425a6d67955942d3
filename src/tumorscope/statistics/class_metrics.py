"""Scores of several classes → figures per class and of all, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics import auc_and_variance, cluster_bootstrap
from tumorscope.statistics.metrics import CLIP, NAMES, Estimate, Split, Undefined

OVERALL = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean sensitivity)",
    "macro_f1": "F1 score, mean of the classes",
    "macro_auc": "AUC, mean of the classes",
    "log_loss": "Log loss",
}
"""Figures of all classes, in the order of tables, with their names for people."""

MEANS = ("balanced_accuracy", "macro_f1", "macro_auc")
"""Those of `OVERALL` that are means over the classes: undefined where a class has no image."""

PER_CLASS = ("sensitivity", "specificity", "ppv", "f1", "auc")
"""Figures of one class against all others."""

Statistic = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class TypeMetrics:
    """All figures of one evaluation of several classes.

    Attributes
    ----------
    classes : tuple of str
        In the order of scores and of `confusion`.
    n, n_groups, repeats : int
        Images, groups, and how often each image was scored.
    counts : tuple of int
        Images of each class.
    split : {"grouped", "random"}
        Whether groups were kept together.
    overall : mapping of str to Interval or Undefined
        One entry per key of `OVERALL`.
    per_class : mapping of str to mapping
        Class → one entry per name of `PER_CLASS`, of that class against all others.
    confusion : ndarray of float64, shape (classes, classes)
        Rows: reference standard; columns: call, the class with the highest score. Means over
        repeats.
    external : bool
        Whether the images come from elsewhere; then no split parted them, whatever `split` says.
    """

    classes: tuple[str, ...]
    n: int
    n_groups: int
    repeats: int
    counts: tuple[int, ...]
    split: Split
    overall: Mapping[str, Estimate]
    per_class: Mapping[str, Mapping[str, Estimate]]
    confusion: NDArray[np.float64]
    external: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the content of ``metrics.json``; undefined figures are null, with a reason."""
        return {
            "task": "tumour-type",
            "classes": list(self.classes),
            "n": self.n,
            "n_groups": self.n_groups,
            "n_of_class": dict(zip(self.classes, self.counts, strict=True)),
            "repeats": self.repeats,
            "split": self.split,
            **({"external": True} if self.external else {}),
            "metrics": {name: found.to_json() for name, found in self.overall.items()},
            "per_class": {
                name: {metric: found.to_json() for metric, found in figures.items()}
                for name, figures in self.per_class.items()
            },
            "confusion": [
                [int(count) if self.repeats == 1 else float(count) for count in row]
                for row in self.confusion
            ],
        }

    def table(self) -> str:
        """Return an aligned table of the figures for the terminal."""
        width = max(map(len, OVERALL.values()))
        lines = [f"{'':{width}}   value   95 % interval"]
        lines += [
            f"{OVERALL[name]:{width}}  {words(found)}" for name, found in self.overall.items()
        ]
        for name, count in zip(self.classes, self.counts, strict=True):
            lines.append(f"{name} ({count} images)")
            lines += [
                f"  {NAMES[metric]:{width - 2}}  {words(found)}"
                for metric, found in self.per_class[name].items()
            ]
        again = f", each scored {self.repeats} times" if self.repeats > 1 else ""
        parted = "external images" if self.external else f"{self.split} split"
        lines.append(f"{self.n} images in {self.n_groups} groups{again}; {parted}")
        return "\n".join(lines)


def words(found: Estimate) -> str:
    """Return a figure and its interval in words of fixed width."""
    value = "     -" if found.value is None else f"{found.value:6.3f}"
    if isinstance(found, Undefined):
        return f"{value}   {found.reason}"
    return f"{value}   {found.low:.3f} to {found.high:.3f}"


def evaluate_types(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    classes: Sequence[str],
    groups: ArrayLike,
    split: Split = "grouped",
    n_resamples: int = 1000,
    seed: int = 0,
) -> TypeMetrics:
    """Return every figure of several classes with a 95 % interval from resampling groups.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Reference standard: positions in `classes`.
    scores : array_like of float, shape (n, classes) or (n, repeats, classes)
        Probabilities; each row sums to 1. With repeats each figure is the mean over them, and
        every interval is that of n images.
    classes : sequence of str
        Names.
    groups : array_like of str, shape (n,)
        What a split must not part.
    split : {"grouped", "random"}
        How training and testing images were parted; recorded, not checked.
    n_resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If shapes do not fit, a label is no class, or rows are no probabilities.

    References
    ----------
    One class against all others: Hand & Till, Mach. Learn. 45 (2001) 171-186, section 2.
    """
    truth, cube, names = _checked(labels, scores, classes, groups)
    resample = _Resample(truth, cube, names, n_resamples, seed)
    sizes = np.bincount(truth, minlength=len(classes))
    per_class: dict[str, dict[str, Estimate]] = {}
    for position, name in enumerate(classes):
        undefined = _undefined_of_class(int(sizes[position]), len(truth))
        per_class[name] = {
            metric: undefined.get(metric) or resample(_of_class(metric, position))
            for metric in PER_CLASS
        }
    absent = [name for name, size in zip(classes, sizes.tolist(), strict=True) if not size]
    missing = Undefined(f"no image of {', '.join(absent)}, so no mean over the classes")
    return TypeMetrics(
        classes=tuple(classes),
        n=len(truth),
        n_groups=len(np.unique(names)),
        repeats=cube.shape[1],
        counts=tuple(int(size) for size in sizes),
        split=split,
        overall={
            name: missing if absent and name in MEANS else resample(_overall(name, len(classes)))
            for name in OVERALL
        },
        per_class=per_class,
        confusion=_confusion(truth, cube, len(classes)).mean(axis=0),
    )


def _undefined_of_class(size: int, n: int) -> dict[str, Estimate]:
    """Return the figures that a class of `size` among `n` images leaves undefined, and why."""
    if size == 0:
        why = Undefined("no image of this class")
        return dict.fromkeys(("sensitivity", "ppv", "f1", "auc"), why)
    if size == n:
        return dict.fromkeys(("specificity", "ppv", "auc"), Undefined("no image of other classes"))
    return {}


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


@dataclass(frozen=True, slots=True)
class _Resample:
    """Turns a statistic of labels and scores into an estimate."""

    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    groups: NDArray[np.str_]
    n_resamples: int
    seed: int

    def __call__(self, statistic: Statistic) -> Estimate:
        def of_images(index: NDArray[np.intp]) -> float:
            return float(np.mean(statistic(self.labels[index], self.scores[index])))

        value = of_images(np.arange(len(self.labels)))
        if not np.isfinite(value):
            return Undefined("a class was never called, or has no image")
        try:
            found = cluster_bootstrap(
                of_images, self.groups, n_resamples=self.n_resamples, seed=self.seed
            )
        except InputError:
            return Undefined("too few groups to resample for an interval", value)
        if found.high - found.low < 1e-12:
            return Undefined("the same in every resample, which is no interval", value)
        return found


def _confusion(
    labels: NDArray[np.int64], scores: NDArray[np.float64], classes: int
) -> NDArray[np.float64]:
    """Return counts, float64 (repeats, classes, classes): reference standard × call."""
    calls = scores.argmax(axis=2)
    cells = labels[:, None] * classes + calls
    return np.stack(
        [np.bincount(column, minlength=classes**2).reshape(classes, classes) for column in cells.T]
    ).astype(np.float64)


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found


def _of_class(metric: str, position: int) -> Statistic:
    """Return a figure of one class against all others, per repeat."""

    def figure(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        is_class = labels == position
        if metric == "auc":
            return _aucs(is_class, scores[:, :, position])
        counts = _confusion(labels, scores, scores.shape[2])
        hits = counts[:, position, position]
        held, called = counts[:, position].sum(axis=1), counts[:, :, position].sum(axis=1)
        if metric == "sensitivity":
            return _ratio(hits, held)
        if metric == "specificity":
            others = len(labels) - held
            return _ratio(others - (called - hits), others)
        return _ratio(hits, called) if metric == "ppv" else _ratio(2 * hits, held + called)

    return figure


def _overall(name: str, classes: int) -> Statistic:
    """Return a figure of all classes, per repeat."""

    def figure(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if name == "accuracy":
            return np.asarray((scores.argmax(axis=2) == labels[:, None]).mean(axis=0))
        if name == "log_loss":
            given = np.take_along_axis(scores, labels[:, None, None], axis=2)[:, :, 0]
            return np.asarray(-np.log(np.clip(given, CLIP, 1.0)).mean(axis=0))
        metric = {"balanced_accuracy": "sensitivity", "macro_f1": "f1", "macro_auc": "auc"}[name]
        each = [_of_class(metric, position)(labels, scores) for position in range(classes)]
        return np.asarray(np.mean(each, axis=0))

    return figure


def _aucs(is_class: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if not 0 < is_class.sum() < len(is_class):
        return np.full(scores.shape[1], np.nan)
    truth = is_class.astype(np.int64)
    return np.array([auc_and_variance(truth, column)[0] for column in scores.T])
