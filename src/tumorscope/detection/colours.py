"""Evidence as colours over grey: red towards a tumour, blue away, on one scale for a model."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LIMIT = 1.0
"""Logit per cell of a 7 × 7 map at which colours are full, where places add up to a mean. Of two
networks on public images, 99 % of the cells lie within it."""

SURE = math.log(0.95 / 0.05)
"""The logit of a model that says "tumour" with a probability of 0.95, before calibration."""

OPACITY = 0.7
"""Of full colour, so that anatomy shows through."""

TOWARDS, AWAY = (235, 45, 40), (50, 120, 255)


def full_colour(shape: tuple[int, ...], *, temperature: float | None = None) -> float:
    """Return the logit per cell at which a colour is full, for an evidence map of that shape.

    It depends on the model alone, so that pictures of one model can be compared. Where the places
    of a map are averaged, finer maps share the same logit among more cells. A dense head lets one
    place decide: there a colour is full where a single cell of it would make the model say
    "tumour" with a probability of 0.95 before calibration, against the bias ``−ln N / r`` of N
    places.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the map.
    temperature : float, optional
        r of a dense head, see `tumorscope.detection.evidence.temperature_of`; none for other heads.

    Examples
    --------
    >>> full_colour((7, 7)), full_colour((14, 14))
    (1.0, 0.25)
    >>> round(full_colour((10, 10), temperature=3.0), 2)
    4.48
    """
    cells = shape[0] * shape[1]
    if temperature is None:
        return LIMIT * 49 / cells
    return SURE + math.log(cells) / temperature


def blend(grey: NDArray[np.uint8], share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay colours on grey.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
    share : ndarray of float32, shape (height, width)
        −1 (all blue) to 1 (all red), clipped; 0 leaves the grey as it is.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Examples
    --------
    >>> grey = np.full((1, 3), 100, np.uint8)
    >>> blend(grey, np.array([[1.0, 0.0, -1.0]], np.float32)).tolist()
    [[[194, 62, 58], [100, 100, 100], [65, 114, 208]]]
    """
    opacity = np.minimum(np.abs(share), 1.0) * np.float32(OPACITY)
    red, value = share > 0, grey.astype(np.float32)
    blended = np.empty((*grey.shape, 3), dtype=np.uint8)
    for channel, (towards, away) in enumerate(zip(TOWARDS, AWAY, strict=True)):
        colour = np.where(red, np.float32(towards), np.float32(away))
        blended[..., channel] = np.rint(value + (colour - value) * opacity)
    return blended
