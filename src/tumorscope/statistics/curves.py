"""The points of ROC and precision-recall curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics.intervals import resamples

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

GRID = np.linspace(0, 1, 201)
"""False positive rates on which curves are averaged and resampled."""

RESAMPLES = 400


def roc_points(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> Curve:
    """Return false and true positive rate at every threshold, from (0, 0) to (1, 1).

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1; both must occur.
    scores : ndarray of shape (n,)
        Higher means more likely positive; equal scores make one point, not two.

    Raises
    ------
    InputError
        If a class is missing.

    Examples
    --------
    >>> import numpy as np
    >>> roc_points(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    (array([0. , 0. , 0.5, 0.5, 1. ]), array([0. , 0.5, 0.5, 1. , 1. ]))
    """
    need_both_classes(labels, "An ROC curve")
    true, false = _cumulated(labels, scores)
    return np.r_[0.0, false / false[-1]], np.r_[0.0, true / true[-1]]


def roc_band(
    labels: NDArray[np.int64], scores: NDArray[np.float64], groups: ArrayLike, *, seed: int = 0
) -> Curve | None:
    """Return low and high true positive rate on `GRID`, 95 %, from resampling groups.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1.
    scores : ndarray of shape (n, repeats)
        Curves are averaged over repeats.
    groups : array_like of shape (n,)
        What is resampled.
    seed : int
        Same seed, same band.

    Returns
    -------
    (ndarray, ndarray) or None
        Each of shape (201,), point by point; None with too few groups, or where all resamples
        have the same curve.
    """
    draws = resamples(groups, seed=seed)
    found = []
    for _ in range(3 * RESAMPLES):
        try:
            index = next(draws)
        except InputError:
            return None
        if 0 < labels[index].sum() < len(index):
            curves = [roc_points(labels[index], column[index]) for column in scores.T]
            found.append(np.mean([np.interp(GRID, *curve) for curve in curves], axis=0))
        if len(found) == RESAMPLES:
            low, high = np.quantile(found, [0.025, 0.975], axis=0)
            # Perfect separation leaves nothing to resample; a band of no width would say "certain".
            return (low, high) if (high > low).any() else None
    return None


def precision_recall_points(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> Curve:
    """Return recall (rising) and precision at every threshold, starting at recall 0.

    The first point repeats the precision of the strictest threshold.

    Raises
    ------
    InputError
        If a class is missing.
    """
    need_both_classes(labels, "A precision-recall curve")
    true, false = _cumulated(labels, scores)
    precision = true / (true + false)
    return np.r_[0.0, true / true[-1]], np.r_[precision[0], precision]


def average_precision(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Return ``Σ (recall_k − recall_{k−1}) · precision_k``, as scikit-learn does.

    Raises
    ------
    InputError
        If a class is missing.

    Examples
    --------
    >>> import numpy as np
    >>> round(average_precision(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])), 3)
    0.833
    """
    recall, precision = precision_recall_points(labels, scores)
    return float(np.sum(np.diff(recall) * precision[1:]))


def need_both_classes(labels: NDArray[np.int64], what: str) -> None:
    """Raise `InputError` unless `labels` hold 0 and 1."""
    positives = int(labels.sum())
    if not 0 < positives < len(labels):
        raise InputError(
            f"{what} needs images of both classes; received {positives} with and "
            f"{len(labels) - positives} without a tumour. Score images of both."
        )


def _cumulated(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> Curve:
    order = np.argsort(-scores, kind="stable")
    # One point per different score: after the last image that has it.
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]
    true = np.cumsum(labels[order])[last].astype(np.float64)
    return true, last + 1 - true
