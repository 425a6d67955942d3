"""Held-out scores → everything that turns a logit into a decision, and what that is worth.

Everything is fitted twice: on all scores, which is what the model file gets; and for each fold on
the other folds, which is what the figures are measured on. No figure here was fitted on itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.calibration import (
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
)
from tumorscope.evaluation.conformal import fit_quantiles, prediction_sets
from tumorscope.evaluation.operating_points import POLICIES, choose_threshold
from tumorscope.evaluation.recalibration import fit_calibration, sigmoid
from tumorscope.statistics import Interval, wilson

MISCOVERAGE = 0.10

BINS = 5
"""Rows of the reliability table in a card."""

Labels = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """What is fitted on a set of scores: calibration, thresholds by policy, quantiles by class."""

    slope: float
    intercept: float
    thresholds: dict[str, float]
    quantiles: tuple[float, float]

    def probabilities(self, logits: Values) -> Values:
        """Return calibrated probabilities."""
        return sigmoid(self.slope * logits + self.intercept)


@dataclass(frozen=True, slots=True)
class Decisions:
    """The fit on all scores, and what the same procedure reached on held-out folds.

    Attributes
    ----------
    fit : Fit
        For the model file.
    n, n_positive, repeats : int
        Images, those with a tumour, and scores of each.
    ece_before, ece_after : float
        Calibration error of the network's own probabilities and of the calibrated ones.
    reliability_before, reliability_after : tuple of ReliabilityBin
        Points of their reliability diagrams.
    sensitivity, specificity : dict of str to Interval
        Of each operating point.
    coverage : tuple of Interval
        Share of the images of each class ("no tumour", "tumour") whose set holds their label.
    answered : Interval
        Share of images with exactly one label in their set.
    error_all, error_answered : Interval
        Share of wrong calls at the balanced point among all images, and among the answered.
    """

    fit: Fit
    n: int
    n_positive: int
    repeats: int
    miscoverage: float
    ece_before: float
    ece_after: float
    reliability_before: tuple[ReliabilityBin, ...]
    reliability_after: tuple[ReliabilityBin, ...]
    sensitivity: dict[str, Interval]
    specificity: dict[str, Interval]
    coverage: tuple[Interval, Interval]
    answered: Interval
    error_all: Interval
    error_answered: Interval


def fit_all(labels: Labels, logits: Values, *, miscoverage: float, repeats: int = 1) -> Fit:
    """Fit calibration, thresholds and quantiles on the same scores."""
    slope, intercept = fit_calibration(labels, logits)
    probabilities = sigmoid(slope * logits + intercept)
    return Fit(
        slope=slope,
        intercept=intercept,
        thresholds={
            policy: choose_threshold(labels, probabilities, policy=policy) for policy in POLICIES
        },
        quantiles=fit_quantiles(labels, probabilities, miscoverage=miscoverage, repeats=repeats),
    )


def fit_decisions(
    labels: Labels,
    logits: Values,
    folds: NDArray[np.int64],
    *,
    miscoverage: float = MISCOVERAGE,
) -> Decisions:
    """Fit everything that turns a logit into a decision, and measure it on held-out folds.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1.
    logits : ndarray of shape (n,) or (n, repeats)
        Of images that the network was not fitted on, as out-of-fold scores are.
    folds : ndarray of int, shape (n,)
        Parts images for measuring; groups must not be parted, and every fold's complement must
        hold both classes.
    miscoverage : float
        Of the conformal prediction sets.

    Raises
    ------
    InputError
        If a class is missing.
    """
    columns = logits[:, None] if logits.ndim == 1 else logits
    repeats = columns.shape[1]

    def stacked(chosen: NDArray[np.bool_]) -> tuple[Labels, Values]:
        return np.repeat(labels[chosen], repeats), columns[chosen].reshape(-1)

    everything = np.ones(len(labels), dtype=bool)
    whole = fit_all(*stacked(everything), miscoverage=miscoverage, repeats=repeats)
    probabilities = np.empty_like(columns)
    sets = np.empty((*columns.shape, 2), dtype=bool)
    calls = {policy: np.empty(columns.shape, dtype=bool) for policy in POLICIES}
    for fold in np.unique(folds):
        held_out = folds == fold
        part = fit_all(*stacked(~held_out), miscoverage=miscoverage, repeats=repeats)
        probabilities[held_out] = part.probabilities(columns[held_out])
        sets[held_out] = prediction_sets(probabilities[held_out], part.quantiles)
        for policy, threshold in part.thresholds.items():
            calls[policy][held_out] = probabilities[held_out] >= threshold

    truth = np.repeat(labels[:, None], repeats, axis=1)
    single = sets.sum(axis=-1) == 1
    wrong = calls["balanced"] != truth

    def share(events: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval:
        return _share(events, among, repeats)

    flat = np.repeat(labels, repeats)
    return Decisions(
        fit=whole,
        n=len(labels),
        n_positive=int(labels.sum()),
        repeats=repeats,
        miscoverage=miscoverage,
        ece_before=expected_calibration_error(flat, sigmoid(columns.reshape(-1))),
        ece_after=expected_calibration_error(flat, probabilities.reshape(-1)),
        reliability_before=tuple(reliability_bins(labels, sigmoid(columns), n_bins=BINS)),
        reliability_after=tuple(reliability_bins(labels, probabilities, n_bins=BINS)),
        sensitivity={policy: share(call, truth == 1) for policy, call in calls.items()},
        specificity={policy: share(~call, truth == 0) for policy, call in calls.items()},
        coverage=(share(sets[..., 0], truth == 0), share(sets[..., 1], truth == 1)),
        answered=share(single, np.ones_like(single)),
        error_all=share(wrong, np.ones_like(single)),
        error_answered=share(wrong, single),
    )


def _share(events: NDArray[np.bool_], among: NDArray[np.bool_], repeats: int) -> Interval:
    trials = max(1, round(among.sum() / repeats))
    mean = float((events & among).sum() / max(1, among.sum()))
    return wilson(mean * trials, trials)
