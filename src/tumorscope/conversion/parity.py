"""What a converted model must still say on images that it was not calibrated on.

An 8-bit network can lose its sense without any error: MobileNetV2's accuracy fell from 99 to 0.1 %
in one project, and per-channel weights are the cure in one and the harm in another (onnxruntime
issue 11415). So no conversion is believed; each is measured against the original.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.detection.engines import Outputs
from tumorscope.detection.rules import rule_of
from tumorscope.model_file.schema import Metadata
from tumorscope.statistics import auc_and_variance, wilson

MIN_HOLDOUT = 4
"""Fewest images to be compared on; one decision that flips already refuses below 100."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a converted model may be from the original.

    Attributes
    ----------
    auc_fall : float
        Largest fall of the AUC.
    flips : float
        Largest share of images with another decision.
    evidence : float
        Largest ``|Σ evidence + bias − logit|``.
    probability : float or None
        Largest difference of a probability; None leaves it open, as 8-bit models need.
    """

    auc_fall: float = 0.005
    flips: float = 0.01
    evidence: float = 1e-3
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """A converted model beside the original, on the same images.

    Attributes
    ----------
    n, n_positive : int
        Images, and those with a tumour.
    finite : bool
        Whether every output is a finite number; if not, nothing else is known.
    max_difference, mean_difference : float or None
        Of the probabilities, 0..1.
    auc_before, auc_after : float or None
        Against the reference standard.
    flips : int or None
        Images with another decision.
    flips_at_most : float or None
        Upper end of the 95 % interval (Wilson) of their share.
    evidence_error : float or None
        Largest ``|Σ evidence + bias − logit|``.
    """

    n: int
    n_positive: int
    finite: bool
    max_difference: float | None = None
    mean_difference: float | None = None
    auc_before: float | None = None
    auc_after: float | None = None
    flips: int | None = None
    flips_at_most: float | None = None
    evidence_error: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return plain values, rounded to seven digits."""
        return {
            name: float(f"{value:.7g}") if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def halves(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, most: int = 160
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part images into those to calibrate on and those to be judged on, never a group.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        1 tumour, 0 no tumour.
    groups : ndarray of str, shape (n,)
        What must not be parted.
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
            f"None of the {len(labels)} calibration images can be calibrated on without parting a "
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


def decisions(outputs: Outputs, metadata: Metadata) -> list[str]:
    """Return the decision on each image at the operating point “balanced”.

    Images that `tumorscope predict` would refuse without asking the model are no matter here.

    Returns
    -------
    list of str
        "tumour", "no tumour", "abstain", or "refused" for the distance.
    """
    answers = rule_of(metadata, "balanced").answers(outputs.probability.astype(np.float64))
    words = np.array(["no tumour", "tumour", "abstain"])[answers]  # the last is −1
    if (limit := metadata.input_check.distance) is not None:
        words[~(outputs.distance <= limit)] = "refused"
    found: list[str] = words.tolist()
    return found


def compare(
    before: Outputs, after: Outputs, *, labels: NDArray[np.int64], metadata: Metadata
) -> Figures:
    """Compare a converted model with the original on the same images.

    Parameters
    ----------
    before, after : Outputs
        Outputs of the original and of the converted model.
    labels : ndarray of int64, shape (n,)
        Reference standard, both classes.
    metadata : Metadata
        Of the original; its operating point and input check decide.
    """
    n, positive = len(labels), int(labels.sum())
    outputs = (after.probability, after.logit, after.evidence, after.bias, after.distance)
    same = all(
        mine.shape == theirs.shape
        for mine, theirs in zip(
            outputs,
            (before.probability, before.logit, before.evidence, before.bias, before.distance),
            strict=True,
        )
    )
    if not same or not all(np.isfinite(values).all() for values in outputs):
        return Figures(n=n, n_positive=positive, finite=False)
    apart = np.abs(after.probability.astype(np.float64) - before.probability)
    flips = sum(
        mine != theirs
        for mine, theirs in zip(
            decisions(after, metadata), decisions(before, metadata), strict=True
        )
    )
    total = after.evidence.astype(np.float64).sum(axis=(1, 2)) + after.bias
    return Figures(
        n=n,
        n_positive=positive,
        finite=True,
        max_difference=float(apart.max()),
        mean_difference=float(apart.mean()),
        # Logits, because probabilities near 1 are equal in float32 where logits are not.
        auc_before=auc_and_variance(labels, before.logit.astype(np.float64))[0],
        auc_after=auc_and_variance(labels, after.logit.astype(np.float64))[0],
        flips=flips,
        flips_at_most=wilson(flips, n).high,
        evidence_error=float(np.abs(total - after.logit).max()),
    )


def objections(figures: Figures, limits: Limits) -> tuple[str, ...]:
    """Return what speaks against a converted model, in words; nothing if it passes."""
    if not figures.finite:
        return ("its outputs are not all finite numbers of the expected shape",)
    assert figures.max_difference is not None
    assert figures.auc_before is not None
    assert figures.auc_after is not None
    assert figures.flips is not None
    assert figures.evidence_error is not None
    found = []
    if figures.auc_before - figures.auc_after > limits.auc_fall:
        found.append(
            f"AUC falls from {figures.auc_before:.4f} to {figures.auc_after:.4f} (at most "
            f"{limits.auc_fall:g})"
        )
    if figures.flips > limits.flips * figures.n:
        found.append(f"{figures.flips} of {figures.n} decisions flip (at most {limits.flips:.0%})")
    if not figures.evidence_error < limits.evidence:
        found.append(
            f"evidence misses the logit by {figures.evidence_error:.2g} (less than "
            f"{limits.evidence:g})"
        )
    if limits.probability is not None and figures.max_difference > limits.probability:
        found.append(
            f"a probability differs by {figures.max_difference:.2g} (at most "
            f"{limits.probability:g})"
        )
    return tuple(found)
