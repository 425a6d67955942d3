"""A picture to be remembered → its marks, and those of what people make of pictures.

Cropping moves the frame of a head that fills its picture, and a contrast curve changes it. So
that a copy is found by its marks alone, without anything to lay it upon, the marks of such copies
are remembered too, where they are others.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.frequencies import frequencies
from tumorscope.duplicates.marks import NONE, Marks, likely_marks
from tumorscope.duplicates.waves import smaller
from tumorscope.imaging.preprocess import SHORTCUT_FREE, Preprocessing, prepare
from tumorscope.imaging.slice import Slice

Grey = NDArray[np.uint8]

USUAL = Preprocessing(160, SHORTCUT_FREE.crop, SHORTCUT_FREE.fit, SHORTCUT_FREE.intensity)
"""How a picture is prepared where no model says so."""

_SMALL = Preprocessing(112, SHORTCUT_FREE.crop, SHORTCUT_FREE.fit, SHORTCUT_FREE.intensity)
_LARGEST = 176
_LEAST = 16

CROPS = (
    *((share, share, share, share) for share in (0.025, 0.05, 0.075, 0.1)),
    *((0.1, 0.0, 0.0, 0.0), (0.0, 0.1, 0.0, 0.0), (0.0, 0.0, 0.1, 0.0), (0.0, 0.0, 0.0, 0.1)),
    *((0.1, 0.0, 0.1, 0.0), (0.1, 0.0, 0.0, 0.1), (0.0, 0.1, 0.1, 0.0), (0.0, 0.1, 0.0, 0.1)),
)
"""Shares of height and width that are cut off: above, below, left, right."""

POWERS = (0.55, 1.5, 2.0)


def remembered(scan: Slice) -> Marks:
    """Return the marks of a picture and of its likely copies.

    Parameters
    ----------
    scan : Slice
        A decoded picture of any size.

    Returns
    -------
    ndarray of uint64, shape (n, 12)
        `NONE` where a copy has no mark that the rows above do not have; all `NONE` for a picture
        without structure, which resembles nothing.

    Examples
    --------
    >>> from tumorscope.synthetic.phantom_slice import phantom_slice
    >>> remembered(phantom_slice(tumour=True, seed=1)).shape
    (20, 12)
    """
    found = [frequencies(prepare(scan, USUAL))]
    found += [frequencies(prepare(Slice(each, ""), _SMALL)) for each in _likely_copies(scan.pixels)]
    tried = likely_marks(np.stack(found))
    kept = tried[..., 0].copy()
    for row in range(1, len(kept)):
        # What the search tries of a copy as well need not be kept twice.
        known = np.any(kept[:row, :, None] == tried[row], axis=(0, 2))
        kept[row, known] = NONE
    if not found[0].any():
        kept[:] = NONE
    return kept


def _likely_copies(pixels: Grey) -> Iterator[Grey]:
    small = smaller(pixels, _LARGEST / max(pixels.shape))
    for top, bottom, left, right in CROPS:
        yield _cut(small, (top, 1.0 - bottom, left, 1.0 - right))
    for power in POWERS:
        yield cv2.LUT(small, _table(255.0 * (_GREYS / 255.0) ** power))
    yield cv2.LUT(small, _table(0.6 * _GREYS + 40.0))
    for power in (1.0, 0.7, 1.6):
        table = _table(255.0 * (_GREYS / 255.0) ** power)
        yield _cut(cv2.LUT(small, table), _brain(cv2.LUT(pixels, table)))


def _brain(pixels: Grey) -> tuple[float, float, float, float]:
    """Return top, bottom, left and right of what is brighter than 45, as shares of the picture.

    As many scripts for public sets crop; they count in pixels, whatever the size.
    """
    bright = (cv2.GaussianBlur(pixels, (5, 5), 0) > 45).astype(np.uint8)
    mask = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8), iterations=2)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return 0.0, 1.0, 0.0, 1.0
    left, top, wide, high = cv2.boundingRect(max(outlines, key=cv2.contourArea))
    height, width = pixels.shape
    return top / height, (top + high) / height, left / width, (left + wide) / width


def _cut(pixels: Grey, shares: tuple[float, float, float, float]) -> Grey:
    height, width = pixels.shape
    top, bottom, left, right = shares
    part = pixels[
        round(top * height) : round(bottom * height), round(left * width) : round(right * width)
    ]
    return np.ascontiguousarray(part) if min(part.shape) >= _LEAST else pixels


_GREYS = np.arange(256, dtype=np.float64)


def _table(values: NDArray[np.float64]) -> Grey:
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)
