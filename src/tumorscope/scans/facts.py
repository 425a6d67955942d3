"""A data set's elements → the nouns of this room, for classic files and for functional groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tumorscope.scans.frame import Acquisition, Stored
from tumorscope.scans.limits import FARTHEST, SIDES
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.values import number, numbers, text, whole, words
from tumorscope.scans.window import WIDEST

if TYPE_CHECKING:
    from pydicom import Dataset

SIEMENS_B_VALUE = 0x0019100C
GE_B_VALUE = 0x00431039

Vector = tuple[float, float, float]


def stored_of(dataset: Dataset, syntax: str) -> Stored:
    """Return how values are stored.

    Raises
    ------
    NotReadError
        If the header contradicts itself, or values are single bits.
    """
    allocated = whole(dataset, "BitsAllocated") or 0
    stored = whole(dataset, "BitsStored") or allocated
    high = whole(dataset, "HighBit")
    high = stored - 1 if high is None else high
    if allocated == 1:
        raise NotReadError("segmentation", "each value is one bit")
    if allocated not in (8, 16, 32) or not 0 < stored <= high + 1 <= allocated:
        raise NotReadError(
            "damaged", f"{stored} bits up to bit {high} of {allocated} cannot be stored"
        )
    return Stored(syntax, allocated, stored, high, whole(dataset, "PixelRepresentation") == 1)


def size_of(dataset: Dataset) -> tuple[int, int]:
    """Return rows and columns.

    Raises
    ------
    NotReadError
        If there are none.
    """
    rows, columns = whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0
    if rows < 1 or columns < 1:
        raise NotReadError("damaged", f"it is {rows} × {columns} pixels")
    return rows, columns


def spacing_of(dataset: Dataset) -> tuple[float, float]:
    """Return the distance of rows and of columns in mm.

    Raises
    ------
    NotReadError
        If the header does not state it.
    """
    found = numbers(dataset, "PixelSpacing")
    if len(found) != 2 or min(found) <= 0:
        raise NotReadError("geometry", "it states no pixel spacing")
    if min(found) < SIDES[0] or max(found) > SIDES[1]:
        raise NotReadError("geometry", f"its pixels are {found[0]:g} × {found[1]:g} mm")
    return found[0], found[1]


def between_of(dataset: Dataset) -> float:
    """Return the distance of slices that the header states, in mm; 0 where it states none."""
    found = abs(number(dataset, "SpacingBetweenSlices") or 0.0)
    return found if SIDES[0] <= found <= SIDES[1] else 0.0


def orientation_of(dataset: Dataset) -> tuple[Vector, Vector]:
    """Return the unit vectors along a row and along a column.

    Raises
    ------
    NotReadError
        If the header states none, or they are no right angle.
    """
    found = numbers(dataset, "ImageOrientationPatient")
    if len(found) != 6:
        raise NotReadError("geometry", "it states no orientation")
    if max(map(abs, found)) > 1.1:  # of larger ones not even the length can be had
        raise NotReadError("geometry", f"its orientation {found} is none")
    row, column = np.array(found[:3]), np.array(found[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1)) > 0.02 or abs(row @ column) > 0.02:
        raise NotReadError("geometry", f"its orientation {found} is none")
    row, column = row / lengths[0], column / lengths[1]
    return (float(row[0]), float(row[1]), float(row[2])), (
        float(column[0]),
        float(column[1]),
        float(column[2]),
    )


def position_of(dataset: Dataset) -> Vector | None:
    """Return the centre of the first pixel in mm; None where the header states none.

    Raises
    ------
    NotReadError
        If it lies where no patient can.
    """
    found = numbers(dataset, "ImagePositionPatient")
    if found and max(map(abs, found)) > FARTHEST:
        raise NotReadError("geometry", f"it lies {max(map(abs, found)):g} mm away")
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def padding_of(dataset: Dataset, stored: Stored) -> tuple[int, int] | None:
    """Return the lowest and the highest stored value that stand for no image; None where none do.

    The elements are unsigned or signed as the values are, and files without value representations
    do not say it.
    """
    ends = [whole(dataset, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    first, last = ends
    if first is None:
        return None
    if stored.signed and stored.allocated <= 16:
        full = 1 << stored.allocated
        first, last = (
            each - full if each is not None and 2 * each >= full else each for each in (first, last)
        )
    assert first is not None
    last = first if last is None else last
    return min(first, last), max(first, last)


def inverse_of(dataset: Dataset) -> bool:
    """Return whether the largest value is black: MONOCHROME1, or a presentation LUT that says so.

    Both say the same; together they do not say it twice.
    """
    interpretation = words(dataset, "PhotometricInterpretation")
    return interpretation == ("MONOCHROME1",) or words(dataset, "PresentationLUTShape") == (
        "INVERSE",
    )


def window_of(dataset: Dataset) -> tuple[float, float] | None:
    """Return the lowest and the highest value of the first window of the header.

    By PS3.3 C.11.2.1.2: of the linear function, half a value is missing on either side. The sigmoid
    is taken as the straight line through its middle.
    """
    centre, width = number(dataset, "WindowCenter"), number(dataset, "WindowWidth")
    if centre is None or width is None or width < 1 or centre - width == centre:
        return None
    if words(dataset, "VOILUTFunction") in ((), ("",), ("LINEAR",)):
        centre, width = centre - 0.5, width - 1
    low, high = centre - width / 2, centre + width / 2
    return (low, high) if max(-low, high) <= WIDEST else None


def rescale_of(dataset: Dataset) -> tuple[float, float]:
    """Return slope and intercept; 1 and 0 where the header states none, or a slope of 0."""
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    return (slope, intercept or 0.0) if slope else (1.0, 0.0)


def b_value_of(dataset: Dataset) -> float | None:
    """Return the diffusion weighting in s/mm², also of where Siemens and GE keep it."""
    found = number(dataset, "DiffusionBValue")
    if found is None:
        found = number(dataset, SIEMENS_B_VALUE)
    if found is None and (private := number(dataset, GE_B_VALUE)) is not None:
        found = private % 100_000  # GE adds a flag of a billion
    return found


def acquisition_of(dataset: Dataset) -> Acquisition:
    """Return how a classic image was made."""
    return Acquisition(
        scanning="\\".join(words(dataset, "ScanningSequence")),
        contrast="".join(words(dataset, "AcquisitionContrast")),
        repetition_time=number(dataset, "RepetitionTime"),
        echo_time=number(dataset, "EchoTime"),
        inversion_time=number(dataset, "InversionTime"),
        b_value=b_value_of(dataset),
        agent=bool(text(dataset, "ContrastBolusAgent")),
    )
