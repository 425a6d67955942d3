"""How a model's answers change when its images do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.model_file.decision import ABSTAINED, DecisionRule
from tumorscope.statistics import Interval, auc
from tumorscope.statistics.intervals import over_groups

RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Strength:
    """What one change of one strength did.

    Attributes
    ----------
    perturbation : str
        Its name; "none" for the images as they are.
    unit : str
    strength : float
    images : int
        On which it could be made; all values are of these.
    auc, sensitivity, specificity : Interval or None
        After the change; None where these images cannot give it. Intervals resample groups.
    auc_before : float or None
        Of the same images as they are.
    flips : Interval or None
        Share of images whose call at the operating point changed; None for "none".
    abstained : Interval or None
        Share of images that the model abstains on after the change; the values above call them
        by the threshold all the same.
    error_answered : Interval or None
        Share of wrong answers among the others.
    shift : float
        Mean absolute change of the probability.
    refused : Interval or None
        Share of images that the input check refuses after the change. All values above are of
        these too, as if it did not.
    """

    perturbation: str
    unit: str
    strength: float
    images: int
    auc: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None
    auc_before: float | None
    flips: Interval | None
    abstained: Interval | None
    error_answered: Interval | None
    shift: float
    refused: Interval | None = None

    def to_record(self) -> dict[str, object]:
        """Return plain values for a table; "" where these images give no value."""
        record: dict[str, object] = {
            "perturbation": self.perturbation,
            "unit": self.unit,
            "strength": f"{self.strength:g}",
            "images": self.images,
        }
        for name in ("auc", "sensitivity", "specificity", "flips", "abstained", "error_answered"):
            record |= _cells(name, getattr(self, name))
        record["auc_before"] = "" if self.auc_before is None else f"{self.auc_before:.3f}"
        record["shift"] = f"{self.shift:.3f}"
        return record | _cells("refused", self.refused)


def _cells(name: str, interval: Interval | None) -> dict[str, object]:
    """Return the columns of an interval."""
    return {
        name if part == "value" else f"{name}_{part}": ""
        if interval is None
        else f"{getattr(interval, part):.3f}"
        for part in ("value", "low", "high")
    }


def compare_answers(
    name: str,
    unit: str,
    strength: float,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    rule: DecisionRule,
    refused: NDArray[np.bool_] | None = None,
) -> Strength:
    """Return what a change did to the answers on the same images.

    Parameters
    ----------
    name, unit, strength
        Of the change; "none" for none.
    labels : ndarray of int64, shape (n,)
    groups : ndarray of str, shape (n,)
        Resampled whole.
    before, after : ndarray of float64, shape (n,)
        Probabilities.
    rule : DecisionRule
        What decides.
    refused : ndarray of bool, shape (n,), optional
        Which images the input check refuses after the change.

    Examples
    --------
    >>> labels, groups = np.array([0, 0, 1, 1]), np.array(["a", "b", "c", "d"])
    >>> before, after = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.1, 0.6, 0.8, 0.9])
    >>> rule = DecisionRule(threshold=0.5, no_tumour=1.0, tumour=1.0)
    >>> found = compare_answers("noise", "%", 5, labels, groups, before, after, rule)
    >>> found.flips.value, found.specificity.value
    (0.25, 0.5)
    """
    calls, answered = rule.calls(after), rule.answers(after) != ABSTAINED
    flipped, everywhere = calls != rule.calls(before), np.ones(len(labels), dtype=bool)
    both = 0 < labels.sum() < len(labels)
    flips = None
    if name != "none":
        flips = _share(flipped, everywhere, groups)
        flips = flips or Interval(float(flipped.mean()), 0.0, 1.0, "one group")
    return Strength(
        perturbation=name,
        unit=unit,
        strength=float(strength),
        images=len(labels),
        auc=_auc(labels, after, groups) if both else None,
        sensitivity=_share(calls, labels == 1, groups),
        specificity=_share(~calls, labels == 0, groups),
        auc_before=auc(labels, before) if both else None,
        flips=flips,
        abstained=_share(~answered, everywhere, groups),
        error_answered=_share(calls != (labels == 1), answered, groups),
        shift=float(np.abs(after - before).mean()),
        refused=None if refused is None else _share(refused, everywhere, groups),
    )


def _share(
    events: NDArray[np.bool_], among: NDArray[np.bool_], groups: NDArray[np.str_]
) -> Interval | None:
    """Return how often `events` happen among some images."""

    def share(index: NDArray[np.intp]) -> float:
        chosen = among[index]
        return float(events[index][chosen].mean()) if chosen.any() else float("nan")

    return over_groups(share, groups, among=among, n_resamples=RESAMPLES)


def _auc(
    labels: NDArray[np.int64], scores: NDArray[np.float64], groups: NDArray[np.str_]
) -> Interval | None:
    def area(index: NDArray[np.intp]) -> float:
        truth = labels[index]
        if not 0 < truth.sum() < len(truth):
            return float("nan")
        return auc(truth, scores[index])

    rarer = labels == (1 if 2 * labels.sum() <= len(labels) else 0)
    return over_groups(area, groups, among=rarer, n_resamples=RESAMPLES)
