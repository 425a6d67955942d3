"""What all drawn pictures are made with: smooth fields, soft edges, greys."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""A value at each pixel, shape (size, size)."""

Pixels = NDArray[np.uint8]


def smooth(coarse: NDArray[np.generic], size: int) -> Field:
    """Return a few random numbers as a smooth field: shape (knots, knots) to (size, size)."""
    field: Field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return field


def greys(values: NDArray[np.integer | np.floating]) -> Pixels:
    """Return values on the scale of 0 to 255 as greys.

    Examples
    --------
    >>> greys(np.array([-3.0, 99.6, 300.0])).tolist()
    [0, 100, 255]
    """
    pixels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


def through_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Return a picture as it comes back from a JPEG file."""
    _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
