"""Held-out scores → everything that turns a logit into a decision, and what that is worth.

Everything is fitted twice: on all scores, which is what the model file gets; and for each fold on
the other folds, to measure it on images that it was not fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.model_file.decision import ABSTAINED, DecisionRule, Estimate, OperatingPoint
from tumorscope.statistics.calibration_error import (
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
)
from tumorscope.statistics.conformal import fit_quantiles
from tumorscope.statistics.intervals import share_of
from tumorscope.statistics.operating_points import POLICIES, choose_threshold
from tumorscope.statistics.platt import fit_calibration, sigmoid

MISCOVERAGE = 0.10

BINS = 5
"""Rows of the reliability table in a card."""

Labels = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedRules:
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
class MeasuredRules:
    """The rules fitted on all scores, and what the same procedure reached on held-out folds.

    Attributes
    ----------
    rules : FittedRules
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

    rules: FittedRules
    n: int
    n_positive: int
    repeats: int
    miscoverage: float
    ece_before: float
    ece_after: float
    reliability_before: tuple[ReliabilityBin, ...]
    reliability_after: tuple[ReliabilityBin, ...]
    points: dict[str, OperatingPoint]


def fit_rules(
    labels: Labels, logits: Values, *, miscoverage: float, repeats: int = 1
) -> FittedRules:
    """Fit calibration, thresholds and quantiles on the same scores."""
    slope, intercept = fit_calibration(labels, logits)
    probabilities = sigmoid(slope * logits + intercept)
    return FittedRules(
        slope=slope,
        intercept=intercept,
        thresholds={
            policy: choose_threshold(labels, probabilities, policy=policy) for policy in POLICIES
        },
        quantiles=fit_quantiles(labels, probabilities, miscoverage=miscoverage, repeats=repeats),
    )


def fit_and_measure(
    labels: Labels,
    logits: Values,
    folds: NDArray[np.int64],
    *,
    miscoverage: float = MISCOVERAGE,
) -> MeasuredRules:
    """Fit everything that turns a logit into a decision, and measure it on held-out folds.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1.
    logits : ndarray of shape (n,) or (n, repeats)
        Of images that the network was not fitted on, as out-of-fold scores are.
    folds : ndarray of int, shape (n,)
        Which images are measured together. Groups must lie in one fold each, and the other folds
        together must hold both classes.
    miscoverage : float
        Of the conformal prediction sets.

    Raises
    ------
    InputError
        If a class is missing.
    """
    columns = logits[:, None] if logits.ndim == 1 else logits
    repeats = columns.shape[1]

    def rules_of(chosen: NDArray[np.bool_]) -> FittedRules:
        truth, values = np.repeat(labels[chosen], repeats), columns[chosen].reshape(-1)
        return fit_rules(truth, values, miscoverage=miscoverage, repeats=repeats)

    whole = rules_of(np.ones(len(labels), dtype=bool))
    probabilities = np.empty_like(columns)
    made = {policy: _Made.empty(columns.shape) for policy in POLICIES}
    for fold in np.unique(folds):
        held_out = folds == fold
        part = rules_of(~held_out)
        probabilities[held_out] = part.probabilities(columns[held_out])
        for policy, decisions in made.items():
            decisions.fill(held_out, part.rule(policy), probabilities[held_out])

    flat = np.repeat(labels, repeats)
    return MeasuredRules(
        rules=whole,
        n=len(labels),
        n_positive=int(labels.sum()),
        repeats=repeats,
        miscoverage=miscoverage,
        ece_before=expected_calibration_error(flat, sigmoid(columns.reshape(-1))),
        ece_after=expected_calibration_error(flat, probabilities.reshape(-1)),
        reliability_before=tuple(reliability_bins(labels, sigmoid(columns), n_bins=BINS)),
        reliability_after=tuple(reliability_bins(labels, probabilities, n_bins=BINS)),
        points={
            policy: decisions.measured(labels, whole.thresholds[policy], POLICIES[policy])
            for policy, decisions in made.items()
        },
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """Decisions on held-out images, (n, repeats), and their prediction sets, (n, repeats, 2)."""

    calls: NDArray[np.bool_]
    answers: NDArray[np.int8]
    sets: NDArray[np.bool_]

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> _Made:
        return cls(np.empty(shape, bool), np.empty(shape, np.int8), np.empty((*shape, 2), bool))

    def fill(self, chosen: NDArray[np.bool_], rule: DecisionRule, probabilities: Values) -> None:
        """Decide on some images."""
        self.calls[chosen] = rule.calls(probabilities)
        self.answers[chosen] = rule.answers(probabilities)
        self.sets[chosen] = rule.sets(probabilities)

    def measured(self, labels: Labels, threshold: float, policy: str) -> OperatingPoint:
        """Return what was decided rightly, as of an operating point."""
        truth = np.repeat(labels[:, None], self.calls.shape[1], axis=1) == 1
        answered, every = self.answers != ABSTAINED, np.ones(truth.shape, dtype=bool)
        right = self.calls == truth
        without, having = _share(self.sets[..., 0], ~truth), _share(self.sets[..., 1], truth)
        return OperatingPoint(
            threshold=threshold,
            policy=policy,
            sensitivity=_share(right, truth),
            specificity=_share(right, ~truth),
            error=_share(~right, every),
            abstained=_share(~answered, every),
            sensitivity_answered=_share(right, answered & truth),
            specificity_answered=_share(right, answered & ~truth),
            error_answered=_share(~right, answered),
            coverage=(without, having) if without and having else None,
        )


def _share(events: NDArray[np.bool_], among: NDArray[np.bool_]) -> Estimate | None:
    """Return the share of events (n, repeats) with an interval for n images; None of nothing."""
    found = share_of(events, among)
    return None if found is None else Estimate(value=found.value, low=found.low, high=found.high)
