"""Intervals: how far a value measured on a few images may be from the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, exp, isfinite, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.errors import InputError

MAX_REDRAWS = 10
"""At most this many undefined bootstrap resamples per resample that is wanted."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the interval that goes with it.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float
        Ends of the interval.
    method : str
        How the interval was made, in words.
    """

    value: float
    low: float
    high: float
    method: str

    def to_json(self) -> dict[str, float | str]:
        """Return ``{"value", "low", "high", "method"}``."""
        return {"value": self.value, "low": self.low, "high": self.high, "method": self.method}


def wilson(successes: float, n: int, *, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion.

    With p = successes / n and z the normal quantile of `level`::

        (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)

    It keeps its coverage for small n and for p near 0 or 1, where p ± z √(p(1 − p)/n) does not.

    Parameters
    ----------
    successes : float
        Between 0 and `n`. A mean over repeats need not be whole.
    n : int
        Number of trials, at least 1.
    level : float
        Coverage wanted, between 0 and 1.

    Raises
    ------
    InputError
        If an argument is out of its range.

    References
    ----------
    E. B. Wilson, JASA 22 (1927) 209-212; R. G. Newcombe, Stat. Med. 17 (1998) 857-872, method 3.
    """
    z = _normal_quantile(level)
    if n < 1 or not 0 <= successes <= n:
        raise InputError(
            f"A proportion of {successes} successes in {n} trials was asked for. Expected at least "
            "one trial and between 0 and n successes. Count again."
        )
    p = successes / n
    shrink = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink
    # At 0 and n successes the ends are 0 and 1 exactly; rounding must not move them outside.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(p, low, high, "Wilson score")


def share_of(events: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval | None:
    """Return the share of images with an event, and Wilson's interval; None of no image.

    Parameters
    ----------
    events, among : ndarray of bool, shape (n, repeats)
        What happened to each image, and whether it counts at all. Some may count in some repeats
        only; the interval is that of as many images as count in a repeat on average.

    Examples
    --------
    >>> right, every = np.array([[True, True], [True, False]]), np.ones((2, 2), bool)
    >>> share_of(right, every).value
    0.75
    """
    if not among.any():
        return None
    trials = max(1, round(among.sum() / among.shape[1]))
    return wilson(float(events[among].mean()) * trials, trials)


def trials_needed(proportion: float, *, within: float) -> int:
    """Return about how many trials give a proportion an interval of ± `within`.

    Near 0 and 1, where the normal approximation asks for too few, as for 0.05 and 0.95.

    Examples
    --------
    >>> trials_needed(0.9, within=0.03)
    385
    """
    p = min(max(proportion, 0.05), 0.95)
    return ceil(p * (1 - p) * (1.96 / within) ** 2)


def delong(labels: ArrayLike, scores: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the area under the ROC curve with an interval from DeLong's variance.

    The interval is symmetric on the logit scale, so that it stays between 0 and 1. Where DeLong's
    variance is zero (perfect separation, all scores equal) or undefined (one image in a class), it
    says nothing. The interval is then Wilson's with n = the size of the smaller class: no AUC has
    a variance above AUC (1 − AUC) / n (Birnbaum and Klose), so that interval is a cautious one.

    Parameters
    ----------
    labels : array_like of shape (n,)
        1 for a positive image, 0 for a negative one; both must occur.
    scores : array_like of shape (n,) or (n, repeats)
        Higher means more likely positive. With repeats (repeated cross-validation), areas and
        variances are averaged: the images stay n, however often they were scored.
    level : float
        Coverage wanted, between 0 and 1.

    Raises
    ------
    InputError
        If lengths differ, a label is neither 0 nor 1, a class is missing, or a score is NaN.

    References
    ----------
    E. R. DeLong et al., Biometrics 44 (1988) 837-845; X. Sun and W. Xu, IEEE Signal Process. Lett.
    21 (2014) 1389-1393; M. S. Pepe (2003), section 5.2 (logit scale); Z. W. Birnbaum and
    O. M. Klose, Ann. Math. Stat. 28 (1957) 933-945.
    """
    z = _normal_quantile(level)
    truth, columns = _both_classes(labels, scores)
    estimates = [auc_and_variance(truth, column) for column in columns.T]
    auc = float(np.mean([area for area, _ in estimates]))
    variance = float(np.mean([spread for _, spread in estimates]))
    if not (isfinite(variance) and variance > 1e-12 and 0 < auc < 1):
        smaller = int(min(truth.sum(), (1 - truth).sum()))
        fallback = wilson(auc * smaller, smaller, level=level)
        return Interval(
            auc,
            fallback.low,
            fallback.high,
            "Wilson score on the smaller class (DeLong's variance is zero or undefined)",
        )
    centre, half = log(auc / (1 - auc)), z * sqrt(variance) / (auc * (1 - auc))
    return Interval(auc, _expit(centre - half), _expit(centre + half), "DeLong, logit scale")


def _both_classes(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return labels [n] and scores [n, repeats], or say why they have no AUC."""
    truth = np.asarray(labels)
    columns = np.asarray(scores, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if truth.ndim != 1 or columns.ndim != 2 or len(truth) != len(columns) or columns.shape[1] == 0:
        raise InputError(
            f"AUC: received labels of shape {truth.shape} and scores of shape "
            f"{np.shape(scores)}. Expected [n] labels and [n] or [n, repeats] scores."
        )
    if not np.isin(truth, (0, 1)).all() or np.isnan(columns).any():
        raise InputError(
            "AUC: received a label that is neither 0 nor 1, or a score that is not a number. "
            "Expected 0/1 labels and finite scores. Look for failed predictions."
        )
    positives, negatives = int((truth == 1).sum()), int((truth == 0).sum())
    if not positives or not negatives:
        raise InputError(
            f"AUC: received {positives} positive and {negatives} negative images. Expected at "
            "least one of each; AUC compares the two classes."
        )
    return truth.astype(np.int64), columns


def auc(labels: NDArray[np.integer], scores: ArrayLike) -> float:
    """Return the area under the ROC curve; see `auc_and_variance`, whose second half it spares.

    Examples
    --------
    >>> auc(np.array([0, 1, 0, 1]), [0.1, 0.4, 0.5, 0.9])
    0.75
    """
    above, below, ranks = _ranked(labels, scores)
    return float(_shares_below(above, below, ranks).mean())


def auc_and_variance(labels: NDArray[np.integer], scores: ArrayLike) -> tuple[float, float]:
    """Return the area under the ROC curve and DeLong's variance of it, in O(n log n).

    The share of negatives below a positive (ties count one half) follows from two midranks of that
    positive: among all images, and among the positives alone.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1; both must occur.
    scores : array_like of shape (n,)
        Finite.

    Returns
    -------
    auc, variance : float
        The variance is NaN where a class has a single image.
    """
    above, below, ranks = _ranked(labels, scores)
    m, n = len(above), len(below)
    # Structural components: per positive the share of negatives below, per negative of those above.
    per_positive = _shares_below(above, below, ranks)
    per_negative = 1 - (ranks[m:] - midranks(below)) / m
    area = float(per_positive.mean())
    if min(m, n) < 2:
        return area, float("nan")
    return area, float(per_positive.var(ddof=1) / m + per_negative.var(ddof=1) / n)


def _ranked(
    labels: NDArray[np.integer], scores: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return scores of positives, of negatives, and the ranks of both among all, in this order."""
    values = np.asarray(scores, dtype=np.float64)
    above, below = values[labels == 1], values[labels == 0]
    return above, below, midranks(np.concatenate([above, below]))


def _shares_below(
    above: NDArray[np.float64], below: NDArray[np.float64], ranks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return for each positive the share of negatives below it."""
    shares: NDArray[np.float64] = (ranks[: len(above)] - midranks(above)) / len(below)
    return shares


def midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return shared


def cluster_bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: ArrayLike,
    *,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a percentile interval from resampling whole groups with replacement.

    Images of one group (near-duplicates, one patient) are not independent; resampling groups
    instead of images keeps the interval as wide as it must be.

    Parameters
    ----------
    statistic : callable
        Maps an array of image indices (with repetitions) to a value; NaN where it is undefined.
    groups : array_like of shape (n,)
        Group of each image; at least two different ones.
    n_resamples : int
        Resamples on which the statistic is defined. Others are redrawn, and `method` counts them.
    level : float
        Coverage wanted, between 0 and 1.
    seed : int
        Same seed, same interval.

    Raises
    ------
    InputError
        If there are fewer than two groups, or the statistic is undefined on all images or on
        nearly all resamples.
    """
    _normal_quantile(level)
    value = float(statistic(np.arange(np.size(groups))))
    draws = resamples(groups, seed=seed)
    found: list[float] = []
    redrawn = 0
    while isfinite(value) and len(found) < n_resamples and redrawn <= MAX_REDRAWS * n_resamples:
        drawn = float(statistic(next(draws)))
        if isfinite(drawn):
            found.append(drawn)
        else:
            redrawn += 1
    if n_resamples < 1 or len(found) < n_resamples:
        raise InputError(
            f"Bootstrap: {len(found)} of {n_resamples} resamples of {len(np.unique(groups))} "
            "groups gave a defined value. Expected at least one resample, and a value that is "
            "defined on all images and on most resamples. Use more images of each class."
        )
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    note = f", {redrawn} undefined and redrawn" if redrawn else ""
    method = f"bootstrap of groups, percentile, {n_resamples} resamples{note}"
    return Interval(value, float(low), float(high), method)


def over_groups(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: NDArray[np.str_],
    *,
    among: NDArray[np.bool_] | None = None,
    n_resamples: int,
) -> Interval | None:
    """Return a share or mean with an interval from resampling groups; None of fewer than two.

    A value that no resample changes, such as "never wrong", has no bootstrap interval; how many
    groups say so bounds it instead.

    Parameters
    ----------
    statistic : callable
        Between 0 and 1; see `cluster_bootstrap`.
    groups : ndarray of str, shape (n,)
        Group of each image.
    among : ndarray of bool, shape (n,), optional
        The images whose groups count.
    n_resamples : int
        See `cluster_bootstrap`.

    Examples
    --------
    >>> right, groups = np.ones(4), np.array(["a", "b", "c", "d"])
    >>> f"{over_groups(lambda chosen: right[chosen].mean(), groups, n_resamples=100).low:.2f}"
    '0.51'
    """
    count = len(np.unique(groups if among is None else groups[among]))
    if count < 2:
        return None
    found = cluster_bootstrap(statistic, groups, n_resamples=n_resamples)
    if found.high - found.low > 1e-12:
        return found
    return unchanging(found.value, count)


def unchanging(value: float, groups: int) -> Interval:
    """Return the interval of a share that no resample changes: Wilson's, of so many groups."""
    share = min(max(value, 0.0), 1.0)  # a mean of ones may lie above one
    bounds = wilson(share * groups, groups)
    return Interval(value, bounds.low, bounds.high, "Wilson score on groups")


def resamples(groups: ArrayLike, *, seed: int = 0) -> Iterator[NDArray[np.intp]]:
    """Yield, without end, image indices of as many groups as there are, drawn with replacement.

    Raises
    ------
    InputError
        If there are fewer than two groups.
    """
    names, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(
            f"Bootstrap: received {len(names)} group(s). Expected at least two, because groups "
            "are what is resampled. Score more patients, or check the group column."
        )
    order = np.argsort(inverse, kind="stable")
    starts = np.cumsum(counts) - counts
    alone = len(names) == len(order)
    generator = np.random.default_rng(seed)
    while True:
        drawn = generator.integers(len(names), size=len(names))
        if alone:
            yield order[drawn]
            continue
        sizes = counts[drawn]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield order[np.repeat(starts[drawn], sizes) + within]


def _normal_quantile(level: float) -> float:
    if not 0 < level < 1:
        raise InputError(
            f"An interval of level {level} was asked for. Expected a level between 0 and 1, "
            "both excluded. Use 0.95."
        )
    return NormalDist().inv_cdf((1 + level) / 2)


def _expit(x: float) -> float:
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))
