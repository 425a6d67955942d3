"""What every look for copies begins with: a smaller picture, and the cosines that describe it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def smaller(pixels: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Return a picture at a share of its size, by areas; as it is where that is 1 or more.

    Examples
    --------
    >>> smaller(np.zeros((30, 40), np.uint8), 0.5).shape
    (15, 20)
    """
    if share >= 1.0:
        return pixels
    size = (max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share)))
    small: NDArray[np.uint8] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return small


def cosine_rows(count: int, places: int) -> NDArray[np.float32]:
    """Return the first rows of the discrete cosine transform (II, orthonormal) of so many places.

    Examples
    --------
    >>> rows = cosine_rows(3, 8)
    >>> rows.shape, bool(np.allclose(rows @ rows.T, np.eye(3), atol=1e-6))
    ((3, 8), True)
    """
    middles = np.arange(places) + 0.5
    waves = np.cos(np.pi * middles[None] * np.arange(count)[:, None] / places)
    waves[0] /= np.sqrt(2.0)
    rows: NDArray[np.float32] = (waves * np.sqrt(2.0 / places)).astype(np.float32)
    return rows
