"""Held-out scores → everything that turns a logit into a decision, and what that is worth.

Everything is fitted twice: on all scores, which is what the model file gets; and for each fold on
the other folds, which is what the figures are measured on. No figure here was fitted on itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from tumorscope.model_file.decision import ABSTAINED, DecisionRule, Estimate, OperatingPoint
from tumorscope.statistics import wilson
from tumorscope.statistics.calibration_error import (
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
)
from tumorscope.statistics.conformal import fit_quantiles
from tumorscope.statistics.operating_points import POLICIES, choose_threshold
from tumorscope.statistics.platt import fit_calibration, sigmoid

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

    def rule(self, policy: str) -> DecisionRule:
        """Return how a model with these values decides at an operating point."""
        without, having = self.quantiles
        return DecisionRule(threshold=self.thresholds[policy], no_tumour=without, tumour=having)


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
    points : dict of str to OperatingPoint
        For the model file, by name; each with what it reached.
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
    points: dict[str, OperatingPoint]


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
    shape = columns.shape
    calls = {policy: np.empty(shape, dtype=bool) for policy in POLICIES}
    answers = {policy: np.empty(shape, dtype=np.int8) for policy in POLICIES}
    sets = {policy: np.empty((*shape, 2), dtype=bool) for policy in POLICIES}
    for fold in np.unique(folds):
        held_out = folds == fold
        part = fit_all(*stacked(~held_out), miscoverage=miscoverage, repeats=repeats)
        probabilities[held_out] = part.probabilities(columns[held_out])
        for policy in POLICIES:
            rule = part.rule(policy)
            calls[policy][held_out] = rule.calls(probabilities[held_out])
            answers[policy][held_out] = rule.answers(probabilities[held_out])
            sets[policy][held_out] = rule.sets(probabilities[held_out])

    truth = np.repeat(labels[:, None], repeats, axis=1)
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
        points={
            policy: OperatingPoint(
                threshold=whole.thresholds[policy],
                policy=words,
                **_reached(truth, calls[policy], answers[policy], sets[policy]),
            )
            for policy, words in POLICIES.items()
        },
    )


class _Reached(TypedDict):
    """The figures of an `OperatingPoint`."""

    sensitivity: Estimate | None
    specificity: Estimate | None
    error: Estimate | None
    abstained: Estimate | None
    sensitivity_answered: Estimate | None
    specificity_answered: Estimate | None
    error_answered: Estimate | None
    coverage: tuple[Estimate, Estimate] | None


def _reached(
    truth: Labels, calls: NDArray[np.bool_], answers: NDArray[np.int8], sets: NDArray[np.bool_]
) -> _Reached:
    """Measure decisions (n, repeats), whose sets are (n, repeats, 2), against the truth."""
    with_tumour, answered = truth == 1, answers != ABSTAINED
    every = np.ones(truth.shape, dtype=bool)

    def share(events: NDArray[np.bool_], among: NDArray[np.bool_]) -> Estimate | None:
        return _share(events, among, truth.shape[1])

    without, having = share(sets[..., 0], ~with_tumour), share(sets[..., 1], with_tumour)
    return _Reached(
        sensitivity=share(calls, with_tumour),
        specificity=share(~calls, ~with_tumour),
        error=share(calls != with_tumour, every),
        abstained=share(~answered, every),
        sensitivity_answered=share(calls, answered & with_tumour),
        specificity_answered=share(~calls, answered & ~with_tumour),
        error_answered=share(calls != with_tumour, answered),
        coverage=(without, having) if without and having else None,
    )


def _share(events: NDArray[np.bool_], among: NDArray[np.bool_], repeats: int) -> Estimate | None:
    """Return the share of events with an interval for n images, None where there are none."""
    if not among.any():
        return None
    # Some images may be counted in some repeats only, so their number need not be whole.
    trials = max(1, round(among.sum() / repeats))
    found = wilson(float(events[among].mean()) * trials, trials)
    return Estimate(value=found.value, low=found.low, high=found.high)
