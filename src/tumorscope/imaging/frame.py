"""The box of the head in a picture, alike in copies of any contrast."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.histogram import counts_of, percentile

BLACK = 8
"""What is at most so bright says nothing of a picture's contrast."""


def even_head_box(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return top, bottom, left, right of everything bright that is large.

    Not the network's `head_box`: this one must land on the same frame after crops and changes of
    contrast, so it evens out background and contrast first and leaves banners and letters out.
    """
    height, width = pixels.shape
    scale = min(1.0, 192.0 / max(height, width))
    small_size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.GaussianBlur(
        cv2.resize(pixels, small_size, interpolation=cv2.INTER_AREA), (5, 5), 0
    )
    small = _even(_without_background(small))
    otsu, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = (small > max(otsu * 0.5, 8.0)).astype(np.uint8)
    # What lies in a hole of another piece adds nothing to its box, and outlines are found in a
    # fifth of the time of counting pieces.
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = np.array([cv2.boundingRect(each) for each in outlines], np.int64).reshape(-1, 4)
    areas = boxes[:, 2] * boxes[:, 3]
    if not len(boxes) or areas.max() < 0.1 * mask.size:
        return 0, height, 0, width
    # Banners and letters are smaller than a quarter of the head's box.
    large = boxes[areas >= 0.25 * areas.max()]
    left, top = large[:, 0].min(), large[:, 1].min()
    right, bottom = (large[:, 0] + large[:, 2]).max(), (large[:, 1] + large[:, 3]).max()
    rows, columns = height / mask.shape[0], width / mask.shape[1]
    return (
        int(top * rows),
        min(height, int(np.ceil(bottom * rows))),
        int(left * columns),
        min(width, int(np.ceil(right * columns))),
    )


def _without_background(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Subtract the grey of the rim: the air of many scans is not black."""
    rim = max(1, round(0.04 * min(pixels.shape)))
    around = (pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:])
    counts = sum((counts_of(part) for part in around), np.zeros(256, dtype=np.int64))
    air = percentile(counts, 0.5)
    otsu, _ = cv2.threshold(pixels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    # Where the head fills the image, its rim is not air.
    darker: NDArray[np.uint8] = cv2.subtract(pixels, np.full_like(pixels, min(air, otsu / 2)))
    return darker


def _even(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo a contrast curve, roughly: the middle grey of what is not black becomes half of 255."""
    counts = counts_of(pixels)
    top = float(np.searchsorted(counts, counts[-1]))
    if top <= BLACK:
        return pixels
    bright = np.maximum(counts - counts[BLACK], 0)
    middle = min(max(percentile(bright, 0.5) / top, 0.02), 0.98)
    power = min(max(np.log(0.5) / np.log(middle), 0.3), 3.0)
    table = np.rint(255.0 * (np.minimum(np.arange(256), top) / top) ** power).astype(np.uint8)
    even: NDArray[np.uint8] = cv2.LUT(pixels, table)
    return even
