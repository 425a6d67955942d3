"""A value with its interval from resampling groups, or why these data cannot give one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics import Interval, cluster_bootstrap
from tumorscope.statistics.intervals import unchanging

Statistic = Callable[[NDArray[np.intp]], NDArray[np.float64]]
"""Maps positions of images, with repetitions, to one value per repeat; NaN where undefined."""


@dataclass(frozen=True, slots=True)
class Undefined:
    """A value, or at least its interval, that these data cannot give.

    Attributes
    ----------
    reason : str
        Why not, in words.
    value : float, optional
        The value, where only the interval is lacking.
    """

    reason: str
    value: float | None = None

    def to_json(self) -> dict[str, float | str | None]:
        """Return nulls and the reason, in the shape of an interval.

        Examples
        --------
        >>> Undefined("one class only").to_json()["reason"]
        'one class only'
        """
        return {
            "value": self.value,
            "low": None,
            "high": None,
            "method": None,
            "reason": self.reason,
        }


Estimate = Interval | Undefined


def estimate_of(document: Mapping[str, Any]) -> Estimate:
    """Return what `to_json` of an interval, or of a value without one, was called on.

    Examples
    --------
    >>> estimate_of({"value": 0.9, "low": 0.8, "high": 0.95, "method": "Wilson"}).high
    0.95
    >>> estimate_of(Undefined("one class only").to_json())
    Undefined(reason='one class only', value=None)
    """
    value, low, high = (document[name] for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return Undefined(str(document["reason"]), value)
    return Interval(value, low, high, str(document["method"]))


def wider(by_images: Estimate, by_groups: Estimate | None) -> Estimate:
    """Return the more cautious of two estimates: the one with the wider interval.

    Examples
    --------
    >>> wider(Interval(0.9, 0.85, 0.95, "images"), Interval(0.9, 0.7, 1.0, "groups")).method
    'groups'
    """
    if not isinstance(by_groups, Interval) or not isinstance(by_images, Interval):
        return by_images
    by_groups_is = by_groups.high - by_groups.low > by_images.high - by_images.low
    return by_groups if by_groups_is else by_images


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Gives a statistic an interval by resampling groups of images.

    Attributes
    ----------
    groups : ndarray of str, shape (n,)
        What a split must keep together.
    n_resamples, seed : int
    """

    groups: NDArray[np.str_]
    n_resamples: int
    seed: int

    def __call__(self, statistic: Statistic, *, among: NDArray[np.bool_] | None = None) -> Estimate:
        """Return the mean of a statistic over repeats, with its 95 % interval.

        A share that no resample changes, such as "never wrong", has the interval of `unchanging`
        for the groups of `among`, the images of which it is a share. Without `among` it has none.
        """
        if self.n_resamples < 1:
            raise InputError(
                f"Received {self.n_resamples} bootstrap resamples. Expected 1 or more; use 2000."
            )

        def mean(index: NDArray[np.intp]) -> float:
            return float(np.mean(statistic(index)))

        value = mean(np.arange(len(self.groups)))
        if not np.isfinite(value):
            return Undefined("a class was never called, or has no image")
        try:
            found = cluster_bootstrap(
                mean, self.groups, n_resamples=self.n_resamples, seed=self.seed
            )
        except InputError:
            # With one group, or a class in one group of many, resampling says nothing.
            return Undefined("too few groups to resample for an interval", value)
        if found.high - found.low < 1e-12:
            count = 0 if among is None else len(np.unique(self.groups[among]))
            if count > 1:
                return unchanging(value, count)
            return Undefined("the same in every resample, which is no interval", value)
        if found.low <= value <= found.high:
            return found
        # Resampling repeats images, which makes ECE larger; the interval must still hold its value.
        low, high = min(found.low, value), max(found.high, value)
        return Interval(value, low, high, found.method + ", widened to hold the value")
