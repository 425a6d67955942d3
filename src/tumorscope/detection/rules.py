"""What is refused before the model is asked, and by which rule of a model it decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from tumorscope.common.errors import UsageError
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.decision import Answer, DecisionRule
from tumorscope.model_file.schema import InputCheck, Metadata


def rule_of(metadata: Metadata, operating_point: str) -> DecisionRule:
    """Return the rule by which a model decides at the operating point of that name.

    Raises
    ------
    UsageError
        If the model stores none of that name.
    """
    if operating_point not in metadata.operating_points:
        raise UsageError(
            f"Unknown operating point {operating_point!r}. Expected one that the model "
            f"{metadata.id} stores: {', '.join(sorted(metadata.operating_points))}."
        )
    return DecisionRule.of(metadata.operating_points[operating_point], metadata.conformal)


def input_reasons(
    scan: Slice, check: InputCheck, *, coloured: float = 0.0, damaged: bool = False
) -> tuple[str, ...]:
    """Return why an image should not be shown to the model at all, in the order of `REASONS`.

    Parameters
    ----------
    scan : Slice
        The decoded image.
    check : InputCheck
        The limits.
    coloured : float
        Share of pixels that are really coloured, 0 to 1; see
        `tumorscope.imaging.read.open_image`.
    damaged : bool
        Whether its file is damaged; see there.

    Examples
    --------
    >>> input_reasons(Slice(np.zeros((16, 200), np.uint8), "a line"), InputCheck())
    ('not-brain-mri', 'blank', 'too-small')
    """
    height, width = scan.pixels.shape
    reasons = ["damaged"] if damaged else []
    if max(height, width) > check.aspect * min(height, width) or coloured > check.coloured:
        reasons.append("not-brain-mri")
    # Rows and columns are passed over in large images: the spread needs no million values.
    step = max(1, min(height, width) // 128)
    _, spread = cv2.meanStdDev(np.ascontiguousarray(scan.pixels[::step, ::step]))
    if float(spread[0, 0]) < check.spread:
        reasons.append("blank")
    if min(height, width) < check.edge:
        reasons.append("too-small")
    return tuple(reasons)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one image.

    Attributes
    ----------
    decision : {"tumour", "no tumour", "abstain", "refused"}
    labels : tuple of str
        In the prediction set; none where the image is refused.
    reasons : tuple of str
        Why there is no answer; none where there is one.
    """

    decision: Answer | Literal["refused"]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]


def judge(
    rule: DecisionRule,
    check: InputCheck,
    probability: float,
    distance: float,
    refusals: tuple[str, ...] = (),
) -> Verdict:
    """Return the verdict on an image that an engine was asked about.

    Parameters
    ----------
    rule : DecisionRule
        Of the operating point.
    check : InputCheck
        The limits.
    probability, distance : float
        As the engine gives them.
    refusals : tuple of str
        What `input_reasons` found.

    Examples
    --------
    >>> rule = DecisionRule(threshold=0.5, no_tumour=0.6, tumour=0.6)
    >>> judge(rule, InputCheck(), 0.5, 1.0).reasons, judge(rule, InputCheck(), 0.9, 1.0).decision
    (('uncertain',), 'tumour')
    """
    if not refusals and check.too_far(distance):
        refusals = ("not-brain-mri",)
    if refusals:
        return Verdict("refused", (), refusals)
    decision, labels = rule.decide(probability)
    why = {0: ("unlike-training",), 2: ("uncertain",)}.get(len(labels), ())
    return Verdict(decision, labels, why)
