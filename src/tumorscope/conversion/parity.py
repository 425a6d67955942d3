"""What a converted model must still say of images that it was not calibrated on.

An 8-bit network can lose its sense without any error: MobileNetV2's accuracy fell from 99 to 0.1 %
in one project, and per-channel weights are the cure in one and the harm in another (onnxruntime
issue 11415). So no conversion is believed; each is measured against the original.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.detection.engines import Outputs
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.schema import Metadata
from tumorscope.statistics import auc, wilson

MIN_HOLDOUT = 4
"""Fewest images to be compared on; see `too_many` for what so few can say of decisions."""

REFUSED = -2
"""Stands beside the answers of a `DecisionRule` where the input check refuses the image."""

_IN_JSON = {"changed_decisions": "flips", "changed_at_most": "flips_at_most"}
"""Names that `parity.json` has had since its first version."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a converted model may be from the original.

    Attributes
    ----------
    auc_fall : float
        Largest fall of the AUC.
    changed_decisions : float
        Largest share of images with another decision.
    evidence : float
        Largest ``|Σ evidence + bias − logit|``.
    probability : float or None
        Largest difference of a probability; None leaves it open, as 8-bit models need.
    """

    auc_fall: float = 0.005
    changed_decisions: float = 0.01
    evidence: float = 1e-3
    probability: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return the limits under the names that `parity.json` has had since its first version."""
        return {
            "auc_fall": self.auc_fall,
            "flips": self.changed_decisions,
            "evidence_error": self.evidence,
            "max_difference": self.probability,
        }


@dataclass(frozen=True, slots=True)
class ParityMetrics:
    """A converted model beside the original, on the same images.

    Attributes
    ----------
    max_difference, mean_difference : float
        Of the probabilities, 0..1, of all images.
    auc_before, auc_after : float
        Against the reference standard, of the images on which something is decided.
    changed_decisions : int
        Images with another decision.
    changed_at_most : float
        Upper end of the 95 % interval (Wilson) of their share of `decisions`.
    evidence_error : float
        Largest ``|Σ evidence + bias − logit|``.
    decisions : int
        Images on which something is decided: those that are not refused before a model is asked,
        and that the original, or the converted model, does not refuse. Two refusals are alike,
        whatever became of the network.
    """

    max_difference: float
    mean_difference: float
    auc_before: float
    auc_after: float
    changed_decisions: int
    changed_at_most: float
    evidence_error: float
    decisions: int


@dataclass(frozen=True, slots=True)
class Parity:
    """What a converted model was compared on, and how it compares.

    Attributes
    ----------
    n, n_positive : int
        Images, and those with a tumour.
    metrics : ParityMetrics or None
        None where some output is not a finite number of the expected shape: nothing else can be
        measured then.
    """

    n: int
    n_positive: int
    metrics: ParityMetrics | None

    def to_json(self) -> dict[str, object]:
        """Return plain values, rounded to seven digits, null where nothing could be measured."""
        names = [each.name for each in fields(ParityMetrics)]
        known = dict.fromkeys(names) if self.metrics is None else asdict(self.metrics)
        return {
            "n": self.n,
            "n_positive": self.n_positive,
            "finite": self.metrics is not None,
            **{
                _IN_JSON.get(name, name): float(f"{value:.7g}")
                if isinstance(value, float)
                else value
                for name, value in known.items()
            },
        }


def calibration_and_holdout(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, most: int = 160
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide images into those to calibrate on and those to be judged on, never within a group.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        1 tumour, 0 no tumour.
    groups : ndarray of str, shape (n,)
        Images that must stay together.
    most : int
        Largest number to calibrate on; ranges of activations settle long before.

    Returns
    -------
    tuple of ndarray of int64
        Positions, ascending. Calibration gets at most half, of both classes alike.

    Raises
    ------
    InputError
        If the hold-out would lack a class, or hold fewer than `MIN_HOLDOUT` images.

    Examples
    --------
    >>> labels, groups = np.arange(12) % 2, np.arange(12).astype(str)
    >>> calibration, holdout = calibration_and_holdout(labels, groups)
    >>> len(calibration), len(holdout), int(labels[holdout].sum())
    (6, 6, 3)
    """
    share = min(0.5, most / max(len(labels), 1))
    taken = np.zeros(len(labels), dtype=bool)
    for label in (0, 1):
        # A group with images of both classes belongs to the class of its first image.
        first = {group: labels[index] for index, group in reversed(list(enumerate(groups)))}
        names = np.array(sorted(group for group in first if first[group] == label), dtype=np.str_)
        np.random.default_rng(0).shuffle(names)
        members = [np.flatnonzero(groups == name) for name in names]
        budget = share * sum(map(len, members))
        for positions in members:
            if len(positions) <= budget:
                taken[positions] = True
                budget -= len(positions)
    calibration, holdout = np.flatnonzero(taken), np.flatnonzero(~taken)
    check_sample(labels[holdout], what="the calibration hold-out")
    if not len(calibration):
        raise InputError(
            f"None of the {len(labels)} calibration images can be calibrated on without dividing a "
            "group. Expected images of at least two groups per class. Give more images."
        )
    return calibration, holdout


def check_sample(labels: NDArray[np.int64], *, what: str) -> None:
    """Make sure that a sample can show whether a model was harmed.

    Raises
    ------
    InputError
        If it lacks a class or is too small.
    """
    positive = int(labels.sum())
    if len(labels) < MIN_HOLDOUT or not 0 < positive < len(labels):
        raise InputError(
            f"Received {len(labels)} images ({positive} with a tumour) as {what}. Expected at "
            f"least {MIN_HOLDOUT} of both classes, better 100 and more, to tell whether the "
            "converted model still decides as the original. Give more labelled images with "
            "--calibration."
        )


def check_answered(
    labels: NDArray[np.int64],
    before: Outputs,
    metadata: Metadata,
    refused: NDArray[np.bool_] | None = None,
) -> None:
    """Make sure that the original has answers which a conversion could change.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        Reference standard.
    before : Outputs
        Of the original.
    metadata : Metadata
        Its input check refuses.
    refused : ndarray of bool, shape (n,), optional
        Which images it refuses before the model is asked.

    Raises
    ------
    InputError
        If the images that it does not refuse lack a class or are too few.
    """
    out = metadata.input_check.too_far(before.distance)
    out = out if refused is None else out | refused
    what = f"the images to compare on that the model does not refuse (of {len(labels)})"
    check_sample(labels[~out], what=what)


def compare(
    before: Outputs,
    after: Outputs,
    *,
    labels: NDArray[np.int64],
    metadata: Metadata,
    refused: NDArray[np.bool_] | None = None,
) -> Parity:
    """Compare a converted model with the original on the same images.

    Parameters
    ----------
    before, after : Outputs
        Outputs of the original and of the converted model.
    labels : ndarray of int64, shape (n,)
        Reference standard; see `check_answered`.
    metadata : Metadata
        Of the original; its operating point and input check decide.
    refused : ndarray of bool, shape (n,), optional
        Which images are refused before a model is asked.

    Raises
    ------
    InputError
        If the images on which something is decided lack a class.
    """
    n, positive = len(labels), int(labels.sum())
    pairs = [(getattr(after, each.name), getattr(before, each.name)) for each in fields(Outputs)]
    if not all(mine.shape == theirs.shape and np.isfinite(mine).all() for mine, theirs in pairs):
        return Parity(n=n, n_positive=positive, metrics=None)
    apart = np.abs(after.probability.astype(np.float64) - before.probability)
    then, now = _answers(before, metadata), _answers(after, metadata)
    decided = (then != REFUSED) | (now != REFUSED)
    decided &= True if refused is None else ~refused
    changed, decisions = int((now != then)[decided].sum()), int(decided.sum())
    total = after.evidence.astype(np.float64).sum(axis=(1, 2)) + after.bias
    metrics = ParityMetrics(
        max_difference=float(apart.max()),
        mean_difference=float(apart.mean()),
        # Logits, because probabilities near 1 are equal in float32 where logits are not.
        auc_before=auc(labels[decided], before.logit[decided].astype(np.float64)),
        auc_after=auc(labels[decided], after.logit[decided].astype(np.float64)),
        changed_decisions=changed,
        changed_at_most=wilson(changed, decisions).high,
        evidence_error=float(np.abs(total - after.logit).max()),
        decisions=decisions,
    )
    return Parity(n=n, n_positive=positive, metrics=metrics)


def _answers(outputs: Outputs, metadata: Metadata) -> NDArray[np.int8]:
    """Return the answer to each image at the operating point “balanced”, or `REFUSED`."""
    rule = DecisionRule.of(metadata.operating_points["balanced"], metadata.conformal)
    answers = rule.answers(outputs.probability.astype(np.float64))
    answers[metadata.input_check.too_far(outputs.distance)] = REFUSED
    return answers


def too_many(changed: int, n: int, most: float) -> bool:
    """Return whether more decisions change than the share `most` allows.

    By the share itself, but for one: a single changed decision of so few images that none would be
    allowed counts only where the interval (Wilson, 95 %) of its share lies above the limit. One of
    98 says neither that 1 % change nor that less do.

    Examples
    --------
    >>> too_many(1, 98, 0.01), too_many(2, 98, 0.01), too_many(1, 10, 0.01)
    (False, True, True)
    """
    return changed > most * n and (changed > 1 or wilson(changed, n).low > most)


def images_to_prove(changed: int, most: float) -> int:
    """Return of how many images so few changed decisions show that at most the share `most` does.

    That is where the upper end of the interval (Wilson, 95 %) comes down to the limit, which must
    be above 0.

    Examples
    --------
    >>> images_to_prove(0, 0.01), images_to_prove(1, 0.01)
    (381, 563)
    """
    low, high = changed, changed + 1
    while wilson(changed, high).high > most:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if wilson(changed, middle).high <= most else (middle, high)
    return high


def proof(found: Parity, limits: Limits) -> str:
    """Return in words whether the images show that decisions do not change more than allowed.

    Examples
    --------
    >>> metrics = ParityMetrics(0.2, 0.01, 0.97, 0.97, 1, 0.056, 1e-6, 98)
    >>> proof(Parity(n=98, n_positive=50, metrics=metrics), Limits())[:60]
    'That at most 1% of the decisions change is not shown by 98 i'
    """
    if found.metrics is None:
        return ""
    changed, most = found.metrics.changed_decisions, limits.changed_decisions
    shown_by = _shown_by(found.n, found.metrics.decisions)
    if found.metrics.changed_at_most <= most:
        return f"That at most {most:.0%} of the decisions change is shown by {shown_by}."
    needed = images_to_prove(changed, most)
    return (
        f"That at most {most:.0%} of the decisions change is not shown by {shown_by}, of "
        f"which {changed} changed (95 % interval to {found.metrics.changed_at_most:.1%}): with no "
        f"more changes it would take {needed}."
    )


def _shown_by(n: int, decisions: int) -> str:
    """Return how many images speak, and how many were given where those are more."""
    if decisions == n:
        return f"{n} images"
    return f"{decisions} images (of {n}; the others are refused before and after)"


def violations(found: Parity, limits: Limits) -> tuple[str, ...]:
    """Return in words which limits a converted model exceeds; nothing if it passes.

    Examples
    --------
    >>> metrics = ParityMetrics(0.2, 0.01, 0.97, 0.96, 3, 0.09, 1e-6, 100)
    >>> for sentence in violations(Parity(n=100, n_positive=50, metrics=metrics), Limits()):
    ...     print(sentence)
    AUC falls from 0.9700 to 0.9600 (at most 0.005)
    3 of 100 decisions change (at most 1%)
    """
    metrics = found.metrics
    if metrics is None:
        return ("its outputs are not all finite numbers of the expected shape",)
    words = []
    if metrics.auc_before - metrics.auc_after > limits.auc_fall:
        words.append(
            f"AUC falls from {metrics.auc_before:.4f} to {metrics.auc_after:.4f} (at most "
            f"{limits.auc_fall:g})"
        )
    if too_many(metrics.changed_decisions, metrics.decisions, limits.changed_decisions):
        words.append(
            f"{metrics.changed_decisions} of {metrics.decisions} decisions change (at most "
            f"{limits.changed_decisions:.0%})"
        )
    if not metrics.evidence_error < limits.evidence:
        words.append(
            f"evidence misses the logit by {metrics.evidence_error:.2g} (less than "
            f"{limits.evidence:g})"
        )
    if limits.probability is not None and metrics.max_difference > limits.probability:
        words.append(
            f"a probability differs by {metrics.max_difference:.2g} (at most "
            f"{limits.probability:g})"
        )
    return tuple(words)
