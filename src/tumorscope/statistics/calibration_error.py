"""Do the probabilities mean what they say? Reliability and calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.statistics import Interval, wilson

MOST_BINS = 10
IMAGES_PER_BIN = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images of similar probability.

    Attributes
    ----------
    lowest, highest : float
        Range of the probabilities in this bin.
    predicted : float
        Their mean.
    observed : Interval
        Share of tumours among these images, with Wilson's interval.
    count : float
        Images in the bin; with repeats the mean over repeats, hence not always whole.
    """

    lowest: float
    highest: float
    predicted: float
    observed: Interval
    count: float


def bin_count(n: int) -> int:
    """Return the number of bins for `n` images: one per 10 images, at most 10, at least 1."""
    return int(np.clip(n // IMAGES_PER_BIN, 1, MOST_BINS))


def equal_mass_bins(scores: NDArray[np.float64], n_bins: int) -> NDArray[np.intp]:
    """Return the bin of each score; bins hold equally many, and equal scores share a bin.

    Keeping ties together makes the bins independent of the order of the images; where many scores
    are equal, there are fewer bins than asked for.
    """
    ordered = np.sort(scores)
    cuts = ordered[np.arange(1, n_bins) * len(scores) // n_bins]
    bins: NDArray[np.intp] = np.searchsorted(np.unique(cuts), scores, side="right")
    return bins


def expected_calibration_error(
    labels: NDArray[np.int64], scores: NDArray[np.float64], *, n_bins: int | None = None
) -> float:
    """Return the mean gap between predicted probability and share of tumours, over bins.

    ``ECE = Σ_b n_b / n · |mean score in b − share of tumours in b|`` with equal-mass bins, which
    (other than bins of equal width) are never nearly empty.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1.
    scores : ndarray of shape (n,)
        Probability of tumour, 0..1.
    n_bins : int, optional
        `bin_count` of n by default.

    Returns
    -------
    float
        0 (calibrated) to 1. Biased upwards for few images.

    References
    ----------
    M. P. Naeini et al., AAAI 2015; equal mass: K. Nguyen and B. O'Connor, EMNLP 2015.
    """
    bins = equal_mass_bins(scores, bin_count(len(scores)) if n_bins is None else n_bins)
    gaps = np.bincount(bins, weights=scores - labels)
    return float(np.abs(gaps).sum() / len(scores))


def reliability_bins(
    labels: NDArray[np.int64], scores: NDArray[np.float64], *, n_bins: int | None = None
) -> list[ReliabilityBin]:
    """Return the points of a reliability diagram, lowest probability first.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1.
    scores : ndarray of shape (n,) or (n, repeats)
        Probability of tumour. Repeats are pooled, but counts and intervals stay those of n images.
    n_bins : int, optional
        `bin_count` of n by default.
    """
    repeats = 1 if scores.ndim == 1 else scores.shape[1]
    pooled, truth = scores.reshape(-1), np.repeat(labels, repeats)
    bins = equal_mass_bins(pooled, bin_count(len(labels)) if n_bins is None else n_bins)
    found = []
    for number in np.unique(bins):
        inside = bins == number
        count = float(inside.sum() / repeats)
        trials = max(1, round(count))
        found.append(
            ReliabilityBin(
                lowest=float(pooled[inside].min()),
                highest=float(pooled[inside].max()),
                predicted=float(pooled[inside].mean()),
                observed=wilson(float(truth[inside].mean()) * trials, trials),
                count=count,
            )
        )
    return found
