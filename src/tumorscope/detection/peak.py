"""Where on a slice the evidence for a tumour is strongest, and how that is marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tumorscope.detection.evidence import evidence_field
from tumorscope.imaging.preprocess import Preprocessing, placement
from tumorscope.imaging.slice import Slice

RING, SHADOW = (255, 255, 255), (0, 0, 0)

FINE = 320
"""Pixels of the longer side of the picture in which the peak is looked for: of a map of 10 × 10
cells over the whole slice, a 32nd of a cell."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The place of a slice where its evidence is drawn strongest for a tumour.

    Attributes
    ----------
    value : float
        Logit per cell there, above 0: the colour that it has.
    y, x : float
        Where it lies, as shares of the slice's height and width.
    cell : tuple of int
        Row and column, from 0, of the cell of the evidence map in which it lies.
    held : float
        What that cell holds of the logit.
    """

    value: float
    y: float
    x: float
    cell: tuple[int, int]
    held: float


def peak_of(
    evidence: NDArray[np.float32],
    scan: Slice,
    how: Preprocessing,
    *,
    temperature: float | None = None,
) -> Peak | None:
    """Return the peak of an evidence map; None where nothing of the slice speaks for a tumour.

    Parameters
    ----------
    evidence : ndarray of float32, shape (h, w)
        Over the network input.
    scan : Slice
        As it was read.
    how : Preprocessing
        Of the model.
    temperature : float, optional
        Of a dense head; see `tumorscope.detection.evidence.evidence_field`.

    Examples
    --------
    >>> scan = Slice(np.zeros((70, 140), np.uint8), "black")
    >>> evidence = np.zeros((7, 7), np.float32)
    >>> peak_of(evidence, scan, Preprocessing()) is None
    True
    >>> evidence[0, 3] = evidence[0, 4] = 2.0
    >>> peak = peak_of(evidence, scan, Preprocessing())
    >>> round(peak.x, 2), peak.cell, peak.held
    (0.57, (0, 3), 2.0)
    """
    sides = scan.pixels.shape
    height, width = (max(1, round(side * FINE / max(sides))) for side in sides)
    field = evidence_field(evidence, scan, how, shape=(height, width), temperature=temperature)
    row, column = np.unravel_index(int(field.argmax()), field.shape)
    value = float(field[row, column])
    if value <= 0:
        return None
    y, x = (row + 0.5) / height, (column + 0.5) / width
    place = placement(scan, how)
    top, bottom, left, right = place.box
    on_input = (
        (y * sides[0] - top) / (bottom - top) * place.height + place.top,
        (x * sides[1] - left) / (right - left) * place.width + place.left,
    )
    down, across = (
        min(int(at * cells / how.size), cells - 1)
        for at, cells in zip(on_input, evidence.shape, strict=True)
    )
    return Peak(value, float(y), float(x), (down, across), float(evidence[down, across]))


def mark(picture: Image.Image, peak: Peak, *, radius: int) -> None:
    """Draw a ring around the peak on a picture of its slice."""
    ring(ImageDraw.Draw(picture), peak.x * picture.width, peak.y * picture.height, radius=radius)


def ring(ink: ImageDraw.ImageDraw, x: float, y: float, *, radius: int) -> None:
    """Draw the ring that marks a peak, white with a shadow, so that it shows on any colour."""
    for reach, colour, width in ((radius, SHADOW, 3), (radius - 1, RING, 1)):
        ink.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=width)
