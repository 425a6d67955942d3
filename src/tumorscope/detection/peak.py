"""Where on a slice the evidence for a tumour is strongest, and how that is marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tumorscope.imaging.preprocess import Preprocessing, placement
from tumorscope.imaging.slice import Slice

RING, SHADOW = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Peak:
    """The cell of an evidence map that speaks most for a tumour.

    Attributes
    ----------
    value : float
        Its share of the logit, above 0.
    y, x : float
        Its centre on the slice, as shares of the slice's height and width.
    """

    value: float
    y: float
    x: float


def peak_of(evidence: NDArray[np.float32], scan: Slice, how: Preprocessing) -> Peak | None:
    """Return the peak of an evidence map; None where nothing speaks for a tumour.

    Parameters
    ----------
    evidence : ndarray of float32, shape (h, w)
        Over the network input.
    scan : Slice
        As it was read.
    how : Preprocessing
        Of the model.

    Examples
    --------
    >>> scan = Slice(np.zeros((70, 140), np.uint8), "black")
    >>> evidence = np.zeros((7, 7), np.float32)
    >>> peak_of(evidence, scan, Preprocessing()) is None
    True
    >>> evidence[0, 3] = 2.0
    >>> peak_of(evidence, scan, Preprocessing())
    Peak(value=2.0, y=0.07142857142857142, x=0.5)
    """
    row, column = np.unravel_index(int(evidence.argmax()), evidence.shape)
    value = float(evidence[row, column])
    if value <= 0:
        return None
    place, (height, width) = placement(scan, how), scan.pixels.shape
    top, bottom, left, right = place.box
    # From the input back to the slice; a cell that lies in the padding is marked at the rim.
    down = ((row + 0.5) * how.size / evidence.shape[0] - place.top) / place.height
    across = ((column + 0.5) * how.size / evidence.shape[1] - place.left) / place.width
    y = top + min(max(float(down), 0.0), 1.0) * (bottom - top)
    x = left + min(max(float(across), 0.0), 1.0) * (right - left)
    return Peak(value, y / height, x / width)


def mark(picture: Image.Image, peak: Peak, *, radius: int) -> None:
    """Draw a ring around the peak on a picture of its slice."""
    ring(ImageDraw.Draw(picture), peak.x * picture.width, peak.y * picture.height, radius=radius)


def ring(ink: ImageDraw.ImageDraw, x: float, y: float, *, radius: int) -> None:
    """Draw the ring that marks a peak, white with a shadow, so that it shows on any colour."""
    for reach, colour, width in ((radius, SHADOW, 3), (radius - 1, RING, 1)):
        ink.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=width)
