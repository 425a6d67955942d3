"""Where the picture lies in a file: without borders, and the box of the head in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.histogram import counts_of, percentile

SPREAD = 12
"""A row is not uniform where its 5th and 95th percentiles lie further apart than so many greys."""

BLACK = 8
"""What is at most so bright says nothing of a picture's contrast."""

AT_A_TIME = 16
"""So many rows are ordered at a time, from the edge inwards."""


def trimmed(pixels: NDArray[np.uint8], *, spread: float = SPREAD) -> NDArray[np.uint8]:
    """Cut away uniform rows and columns at the edges: padding, and frames of any grey.

    Nine tenths of a row must be alike, because a frame's corner is crossed by its other sides.
    """
    for _ in range(4):
        rows = _busy(pixels, spread)
        columns = rows and _busy(pixels.T, spread)
        if not rows or not columns:
            return pixels
        (top, bottom), (left, right) = rows, columns
        if bottom - top < 16 or right - left < 16:
            return pixels
        if (bottom - top, right - left) == pixels.shape:
            break
        pixels = pixels[top:bottom, left:right]
    return pixels


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
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    boxes = stats[1:, :4].astype(np.int64)
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


def _busy(pixels: NDArray[np.uint8], least: float) -> tuple[int, int] | None:
    """Return from where to where rows are not uniform, half-open; None where all are."""
    # Every row, but some 64 values of each: the question is only whether it is uniform.
    step = max(1, pixels.shape[1] // 64)
    some = np.ascontiguousarray(pixels[:, ::step])
    # What lies within the limit as a whole need not be ordered, nor what lies further inside.
    apart = some.max(axis=1) - some.min(axis=1)
    rows = np.flatnonzero(apart > least)
    first = _first_busy(some, rows, least)
    if first is None:
        return None
    last = _first_busy(some, rows[::-1], least)
    return first, (first if last is None else last) + 1


def _first_busy(some: NDArray[np.uint8], rows: NDArray[np.intp], least: float) -> int | None:
    """Return the first of `rows` whose 5th and 95th percentiles lie further apart than `least`."""
    width = some.shape[1]
    low, high = int(0.05 * width), int(0.95 * (width - 1))
    for start in range(0, len(rows), AT_A_TIME):
        asked = rows[start : start + AT_A_TIME]
        ordered = np.partition(some[asked], (low, high), axis=1)
        busy = np.flatnonzero(ordered[:, high].astype(np.int16) - ordered[:, low] > least)
        if len(busy):
            return int(asked[busy[0]])
    return None
