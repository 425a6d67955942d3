"""Where in the patient the frames of a capture lie, as far as the source says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydicom import Dataset

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding, SliceFinding
    from tumorscope.serving.capture_frames import Drawn
    from tumorscope.serving.source_objects import Sources

UNPLACED = ("instance-order", "no-orientation")
"""Remarks on volumes whose headers do not say where slices lie."""

LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
"""Ends of the axes of patient space: left, posterior, superior are positive."""


def orientation_of(found: SeriesFinding, drawn: Drawn) -> list[str] | str:
    """Return where rows and columns of the frames lead in letters; empty where that is unknown."""
    known = bool(drawn.slices) and not _unplaced(found)
    return [_letters(each) for each in found.directions] if known else ""


def add_places(made: Dataset, found: SeriesFinding, sources: Sources, drawn: Drawn) -> None:
    """Say where each frame lies by functional groups, if the source says where it lies itself."""
    if not sources.frame_of_reference or _unplaced(found):
        return
    made.FrameOfReferenceUID = sources.frame_of_reference
    made.PositionReferenceIndicator = ""
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = _decimals(drawn.spacing)
    plane.ImageOrientationPatient = _decimals([*found.directions[0], *found.directions[1]])
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [plane]
    made.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for each in drawn.slices:
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = _decimals(_first_pixel(each, found, drawn))
        group.PlanePositionSequence = [place]
        groups.append(group)
    made.PerFrameFunctionalGroupsSequence = groups


def _first_pixel(each: SliceFinding, found: SeriesFinding, drawn: Drawn) -> list[float]:
    """Return where the first pixel of a frame lies: beyond the slice, above and left of it."""
    right, down = (np.array(way) for way in found.directions)
    to_middle = [
        corner + (length - 1) / 2.0
        for corner, length in zip(drawn.corner, drawn.shown, strict=True)
    ]
    centre = np.array(each.centre)
    first = (
        centre - down * to_middle[0] * drawn.spacing[0] - right * to_middle[1] * drawn.spacing[1]
    )
    return [float(value) for value in first]


def _decimals(values: Sequence[float]) -> list[str]:
    return [f"{value:.8g}" for value in values]


def _letters(direction: Sequence[float]) -> str:
    """Return where a direction leads, the main one first, as PatientOrientation has it."""
    order = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    return "".join(
        LETTERS[axis][direction[axis] < 0] for axis in order if abs(direction[axis]) > 0.1
    )


def _unplaced(found: SeriesFinding) -> bool:
    return any(remark.code in UNPLACED for remark in found.remarks)
