"""Where the picture lies in a file: without padding, and frames of any grey."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPREAD = 12
"""A row is not uniform where its 5th and 95th percentiles lie further apart than so many greys."""

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


def _busy(pixels: NDArray[np.uint8], least: float) -> tuple[int, int] | None:
    """Return from where to where rows are not uniform, half-open; None where all are."""
    # Every row, but some 64 values of each: the question is only whether it is uniform.
    step = max(1, pixels.shape[1] // 64)
    # Rows stand upright in it: numpy passes over columns side by side several times as fast.
    some = np.ascontiguousarray(pixels[:, ::step].T)
    # What lies within the limit as a whole need not be ordered, nor what lies further inside.
    apart = some.max(axis=0) - some.min(axis=0)
    rows = np.flatnonzero(apart > least)
    first = _first_busy(some, rows, least)
    if first is None:
        return None
    last = _first_busy(some, rows[::-1], least)
    return first, (first if last is None else last) + 1


def _first_busy(some: NDArray[np.uint8], rows: NDArray[np.intp], least: float) -> int | None:
    """Return the first of `rows` whose 5th and 95th percentiles lie further apart than `least`."""
    width = len(some)
    low, high = int(0.05 * width), int(0.95 * (width - 1))
    for start in range(0, len(rows), AT_A_TIME):
        asked = rows[start : start + AT_A_TIME]
        ordered = np.partition(some[:, asked].T, (low, high), axis=1)
        busy = np.flatnonzero(ordered[:, high].astype(np.int16) - ordered[:, low] > least)
        if len(busy):
            return int(asked[busy[0]])
    return None
