"""Predictive values where fewer, or more, of the scanned have a tumour than among these images."""

from __future__ import annotations

from typing import NamedTuple

from tumorscope.statistics import Interval
from tumorscope.statistics.metrics import Metrics

PREVALENCES = (0.005, 0.02, 0.05, 0.10)
"""Shares of tumours among the scanned for which reports give predictive values."""


class PredictiveValues(NamedTuple):
    """What share of the calls is right; None where no image would be called so."""

    ppv: float | None
    npv: float | None


class ValuesElsewhere(NamedTuple):
    """Predictive values at a share of tumours, and what the intervals leave open.

    Attributes
    ----------
    prevalence : float
        Share of tumours among the scanned.
    estimate, low, high : PredictiveValues
        From sensitivity and specificity as measured, both at the low end of their intervals, and
        both at the high end.
    """

    prevalence: float
    estimate: PredictiveValues
    low: PredictiveValues
    high: PredictiveValues


def values_elsewhere(metrics: Metrics) -> list[ValuesElsewhere]:
    """Return the predictive values at each of `PREVALENCES`; none without both rates."""
    sensitivity, specificity = metrics.cautious("sensitivity"), metrics.cautious("specificity")
    if not isinstance(sensitivity, Interval) or not isinstance(specificity, Interval):
        return []
    return [
        ValuesElsewhere(
            prevalence,
            predictive_values(sensitivity.value, specificity.value, prevalence),
            predictive_values(sensitivity.low, specificity.low, prevalence),
            predictive_values(sensitivity.high, specificity.high, prevalence),
        )
        for prevalence in PREVALENCES
    ]


def predictive_values(
    sensitivity: float, specificity: float, prevalence: float
) -> PredictiveValues:
    """Return positive and negative predictive value where `prevalence` of the scanned have tumours.

    By Bayes' theorem. Test sets hold far more tumours than a clinic sees, so the predictive values
    measured on them do not carry over; these show how far.

    Parameters
    ----------
    sensitivity, specificity, prevalence : float
        Each 0..1.

    Examples
    --------
    >>> ppv, npv = predictive_values(0.95, 0.95, 0.01)
    >>> f"{ppv:.2f} {npv:.4f}"
    '0.16 0.9995'
    """
    hits, false_alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    rejections, misses = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return PredictiveValues(
        ppv=hits / (hits + false_alarms) if hits + false_alarms > 0 else None,
        npv=rejections / (rejections + misses) if rejections + misses > 0 else None,
    )
