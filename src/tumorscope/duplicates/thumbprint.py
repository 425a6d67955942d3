"""`Slice` → 104 bytes by which a model recognises an image that it was trained on.

The head is framed, so that borders and crops leave it nearly where it was, and brought to one
contrast. What is kept of it are its coarse layout, which finds candidates among thousands, and
whether each of 24 × 24 places is brighter or darker than its surroundings, which tells patients
apart once two heads are laid upon each other; `tumorscope.duplicates.recognition` does both.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import averaged, local_contrast, stretched, units
from tumorscope.duplicates.waves import cosine_rows, smaller
from tumorscope.imaging.borders import trimmed
from tumorscope.imaging.frame import even_head_box
from tumorscope.imaging.histogram import counts_of, percentile
from tumorscope.imaging.preprocess import head_box
from tumorscope.imaging.slice import Slice

VERSION = 2
"""Raised whenever the numbers of a thumbprint change; each version is compared in its own way."""

COARSE = 8
"""The layout is kept as the lowest frequencies, so many along each side."""

FINE = 24
"""Edge of the grid of places."""

SIDE = 64
"""Edge of a framed head, from which both are sampled."""

BYTES = COARSE * COARSE // 2 + FINE * FINE // 8

_LARGEST = 224
_STEPS = 20.0  # of the layout, a unit vector of 63 numbers, few of which are above 0.35
_GRID = 16
_LEAST = 1e-3

Box = tuple[int, int, int, int]


def thumbprint(scan: Slice) -> NDArray[np.uint8]:
    """Return the thumbprint of a slice.

    Parameters
    ----------
    scan : Slice
        A decoded image of any size.

    Returns
    -------
    ndarray of uint8, shape (104,)
        All zero for an image without structure, which resembles nothing.
    """
    head = framed_heads(scan)[0]
    layout = coarse(sampled(band(head, *COARSE_BAND), _GRID))
    grid = sampled(fine(head), FINE)
    if not layout.any() or float(np.abs(grid).mean()) < 0.02:
        return np.zeros(BYTES, dtype=np.uint8)
    steps = (np.clip(np.rint(layout * _STEPS), -7, 7) + 8).astype(np.uint8)
    return np.concatenate([steps[0::2] << 4 | steps[1::2], np.packbits(grid.ravel() >= 0)])


def layout_steps(prints: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the layouts in thumbprints (n, 104) in whole steps, int8 (n, 64), −7 to 7.

    They are zero for an image without structure.
    """
    halves = prints[:, : COARSE * COARSE // 2]
    steps = np.empty((len(prints), COARSE * COARSE), dtype=np.int8)
    steps[:, 0::2] = (halves >> 4).view(np.int8) - np.int8(8)
    steps[:, 1::2] = (halves & 15).view(np.int8) - np.int8(8)
    steps[~np.any(prints, axis=1)] = 0
    return steps


def grids_of(prints: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the grids in thumbprints (n, 104), float32 (n, 24, 24), of −1 and 1.

    They are zero for an image without structure.
    """
    bits = np.unpackbits(prints[:, COARSE * COARSE // 2 :], axis=1)
    signs = bits.astype(np.float32) * 2.0 - 1.0
    signs[~np.any(prints, axis=1)] = 0.0
    return signs.reshape(len(prints), FINE, FINE)


COARSE_BAND = (1.33, 6.7)
FINE_BAND = (0.7, 3.0)
"""Standard deviations, in 64ths of the head, between which structure counts: heads are alike in
layout, and the finer structure tells patients apart, also those of one atlas."""


def framed_heads(scan: Slice) -> list[NDArray[np.float32]]:
    """Return the head of a slice, 64 × 64 and of one contrast, framed in one way or in two.

    The first is what a thumbprint is made of. The second is there where another rule, which evens
    out contrast before it looks, frames the head otherwise.
    """
    small = _shrunk(scan.pixels)
    # What is uniform depends on how dark a picture is.
    pixels = trimmed(small, spread=max(3.0, 0.03 * percentile(counts_of(small), 0.99)))
    boxes = [head_box(pixels)]
    other = even_head_box(pixels)
    if not _alike(boxes[0], other):
        boxes.append(other)
    return [_head(pixels, box) for box in boxes]


def band(head: NDArray[np.float32], inner: float, outer: float) -> NDArray[np.float32]:
    """Return the structure of a framed head between two scales; see `local_contrast`."""
    return local_contrast(head, inner, outer, floor=5.0)


def fine(head: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return on which side of its surroundings each place of a framed head is: −1 to 1."""
    detail = band(head, *FINE_BAND)
    usual = max(float(_percentiles(np.abs(detail).ravel(), (0.5,))[0]), 1e-3)
    clipped = np.clip(detail * (2.0 / usual), -1.0, 1.0)
    smooth: NDArray[np.float32] = cv2.GaussianBlur(clipped, (0, 0), 0.7)
    return smooth


def sampled(
    plane: NDArray[np.float32], edge: int, view: tuple[float, float, float, float] = (1, 1, 0, 0)
) -> NDArray[np.float32]:
    """Sample a framed head at edge × edge places; beyond the frame there is nothing, 0.

    `view` is the part that is seen: its width and height, then the place of its middle from −1 to
    1, x first.
    """
    size, middle = np.array(view, dtype=np.float64).reshape(2, 2)
    scale = size * (SIDE / edge)
    shift = middle * (SIDE / 2) + (SIDE - 1) / 2 - scale * ((edge - 1) / 2)
    matrix = np.column_stack([np.diag(scale), shift])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen: NDArray[np.float32] = cv2.warpAffine(plane, matrix, (edge, edge), flags=how)
    return seen


def coarse(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the layout of sampled bands (..., 16, 16): 64 numbers of unit length, or all zero."""
    waves: NDArray[np.float32] = np.matmul(np.matmul(_WAVES, small), _WAVES.T)
    waves[..., 0, 0] = 0.0
    return units(waves.reshape(*small.shape[:-2], COARSE * COARSE), least=_LEAST)


_WAVES = cosine_rows(COARSE, _GRID)
"""The first rows of the discrete cosine transform."""


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(pixels.shape) // (2 * _LARGEST)
    if factor >= 2 and min(pixels.shape) >= 100 * factor:  # less than a hundredth is cut off
        pixels = averaged(pixels, factor)
    return smaller(pixels, _LARGEST / max(pixels.shape))


def _alike(one: Box, other: Box) -> bool:
    edges = max(one[1] - one[0], one[3] - one[2])
    return all(abs(a - b) < 0.04 * edges for a, b in zip(one, other, strict=True))


def _head(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    top, bottom, left, right = box
    head = stretched(pixels[top:bottom, left:right], SIDE)
    low, high = _percentiles(head.ravel(), (0.02, 0.99))
    head -= low
    head *= np.float32(1.0 / max(float(high - low), 1.0))
    np.clip(head, 0.0, 1.0, out=head)
    tissue = head[head > 0.08]
    if tissue.size:
        # Undoes a contrast curve, roughly: the middle grey of tissue becomes a half.
        middle = float(np.clip(_percentiles(tissue, (0.5,))[0], 0.05, 0.95))
        head **= np.float32(np.clip(math.log(0.5) / math.log(middle), 0.4, 2.5))
    head *= 255.0
    return head


def _percentiles(values: NDArray[np.float32], shares: tuple[float, ...]) -> list[np.float32]:
    """Return what `numpy.percentile` does, in a quarter of its time."""
    places = [share * (values.size - 1) for share in shares]
    ends = [min(int(at) + after, values.size - 1) for at in places for after in (0, 1)]
    ordered = np.partition(values, sorted(set(ends)))
    return [
        ordered[first] + np.float32(at - int(at)) * (ordered[second] - ordered[first])
        for at, first, second in zip(places, ends[0::2], ends[1::2], strict=True)
    ]
