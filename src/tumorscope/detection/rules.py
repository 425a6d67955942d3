"""What a finding decides, and what it refuses to decide: plain rules over numbers."""

from __future__ import annotations

import cv2
import numpy as np

from tumorscope.common.errors import UsageError
from tumorscope.detection.finding import Decision
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import CLASSES, Conformal, InputCheck, Metadata, OperatingPoint


def operating_point(metadata: Metadata, name: str) -> OperatingPoint:
    """Return the operating point of that name.

    Raises
    ------
    UsageError
        If the model stores none of that name.
    """
    if name not in metadata.operating_points:
        raise UsageError(
            f"Unknown operating point {name!r}. Expected one that the model {metadata.id} stores: "
            f"{', '.join(sorted(metadata.operating_points))}."
        )
    return metadata.operating_points[name]


def input_reasons(scan: Slice, check: InputCheck, *, coloured: float = 0.0) -> tuple[str, ...]:
    """Return why an image should not be shown to the model at all, in the order of `REASONS`.

    Parameters
    ----------
    scan : Slice
        The decoded image.
    check : InputCheck
        The limits.
    coloured : float
        Share of pixels that are really coloured, 0 to 1; see
        `tumorscope.imaging.read.read_with_colour`.
    """
    height, width = scan.pixels.shape
    reasons = []
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


def prediction_set(probability: float, conformal: Conformal) -> tuple[str, ...]:
    """Return the labels that conformal prediction keeps at the model's miscoverage.

    A label stays where one minus its probability is at most the quantile of its class.
    """
    kept = (probability <= conformal.no_tumour, 1.0 - probability <= conformal.tumour)
    return tuple(label for label, stays in zip(CLASSES, kept, strict=True) if stays)


def decide(probability: float, threshold: float, labels: tuple[str, ...]) -> Decision:
    """Return the decision for a prediction set: one label is answered, both or none abstained."""
    if len(labels) != 1:
        return "abstain"
    return "tumour" if probability >= threshold else "no tumour"


def abstention_reasons(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return why a prediction set makes the model abstain; empty where it does not."""
    return {0: ("unlike-training",), 2: ("uncertain",)}.get(len(labels), ())
