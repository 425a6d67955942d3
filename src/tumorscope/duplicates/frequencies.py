"""What a network is given of a slice → the frequencies of its head, alike in copies of one picture.

The head is framed by the centre and spread of what is bright, which borders, contrast and
resizing leave nearly where they were, and brought to one contrast. Its structure, in the lowest
14 × 14 frequencies of the cosine transform, tells pictures apart.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import TURNS
from tumorscope.duplicates.waves import cosine_rows, smaller
from tumorscope.imaging.histogram import counts_of, percentile

Grey = NDArray[np.uint8]
Numbers = NDArray[np.float32]

EDGE = 14
"""Frequencies along each side; 0 in both is always 0."""

SIDE = 48
"""Edge of a framed head in pixels."""

_LARGEST = 80
_SMALL = 56
_REACH = 2.0
_UNIFORM = 8
_BLACK = 16
_LEAST = 0.03
_LEAST_EDGE = 16
_STRUCTURE = 0.02
_INNER, _OUTER = 0.53, 2.25
"""Standard deviations in pixels between which structure counts: as fine as a copy of half the size
still shows."""


def frequencies(prepared: Grey) -> Numbers:
    """Return the frequencies of a head, float32 (196,): down × across, of unit length.

    Parameters
    ----------
    prepared : ndarray of uint8, shape (height, width)
        From `tumorscope.imaging.prepare`, of any size from 32 and by any preprocessing.

    Returns
    -------
    ndarray of float32, shape (196,)
        All zero for a picture without structure, which resembles nothing.

    Examples
    --------
    >>> from tumorscope.imaging import prepare
    >>> from tumorscope.imaging.preprocess import SHORTCUT_FREE
    >>> from tumorscope.synthetic.phantom_slice import phantom_slice
    >>> found = frequencies(prepare(phantom_slice(tumour=True, seed=1), SHORTCUT_FREE))
    >>> found.shape, round(float(found @ found), 3)
    ((196,), 1.0)
    """
    head = canonical_head(prepared)
    detail = None if head is None else _structure(head)
    if detail is None or float(np.abs(detail).mean()) < _STRUCTURE:
        return np.zeros(EDGE * EDGE, dtype=np.float32)
    waves: Numbers = np.matmul(np.matmul(_WAVES, detail), _WAVES.T)
    waves[0, 0] = 0.0
    length = math.sqrt(float(np.vdot(waves, waves)))
    return (waves / max(length, 1e-3)).ravel()


def turned_frequencies(found: Numbers) -> Numbers:
    """Return frequencies (…, 196) as those of the picture in its eight `TURNS`, (…, 8, 196).

    Turning a picture by quarters and mirroring it only reorders its cosines and turns some over.
    """
    turned: Numbers = found[..., _ORDER] * _SIGN
    return turned


def canonical_head(prepared: Grey) -> Grey | None:
    """Return the head in its frame and of one contrast, uint8 (48, 48); None where all is uniform.

    Parameters
    ----------
    prepared : ndarray of uint8, shape (height, width)
        See `frequencies`.
    """
    whole = _without_frame(prepared)
    if whole is None:
        return None
    share = min(1.0, _LARGEST / max(whole.shape))
    small = _even(smaller(whole, share))
    box = _head(small)
    if box is None:
        box = (0.0, 0.0, float(small.shape[1]), float(small.shape[0]))
    elif share < 1.0 and max(box[2] - box[0], box[3] - box[1]) < _SMALL:
        # A small head within a wide frame has lost too much.
        rows, columns = whole.shape[0] / small.shape[0], whole.shape[1] / small.shape[1]
        small = _even(whole)
        box = (box[0] * columns, box[1] * rows, box[2] * columns, box[3] * rows)
    left, top, right, bottom = box
    across, down = (right - left) / SIDE, (bottom - top) / SIDE
    matrix = np.array(
        [[across, 0.0, left + across / 2 - 0.5], [0.0, down, top + down / 2 - 0.5]],
        dtype=np.float64,
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    head: Grey = cv2.warpAffine(small, matrix, (SIDE, SIDE), flags=how)
    return head


def _without_frame(pixels: Grey) -> Grey | None:
    """Cut away uniform rows and columns at the edges, and the rim that a bright frame leaves."""
    for _ in range(3):
        down, across = _busy(cv2.transpose(pixels)), _busy(pixels)
        if len(down) < _LEAST_EDGE or len(across) < _LEAST_EDGE:
            return None
        top, bottom = int(down[0]), int(down[-1]) + 1
        left, right = int(across[0]), int(across[-1]) + 1
        cut = (top > 0, bottom < pixels.shape[0], left > 0, right < pixels.shape[1])
        if not any(cut):
            break
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        bright = any(some and edge.mean() > _BLACK for some, edge in zip(cut, edges, strict=True))
        rim = 2 if bright else 0
        pixels = pixels[top + rim : bottom - rim, left + rim : right - rim]
        if not bright and not _uniform(pixels):
            break
    return pixels


def _uniform(pixels: Grey) -> bool:
    """Whether an edge is uniform, as where a bright frame lies within a black one."""
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return any(int(edge.max()) - int(edge.min()) <= _UNIFORM for edge in edges)


def _busy(rows: Grey) -> NDArray[np.intp]:
    """Return which columns are not uniform: numpy passes along them several times as fast."""
    return np.flatnonzero(rows.max(axis=0) - rows.min(axis=0) > _UNIFORM)


def _even(pixels: Grey) -> Grey:
    """Smooth, subtract the grey of the air, and undo a contrast curve, roughly."""
    smooth: Grey = cv2.GaussianBlur(pixels, (3, 3), 0)
    edges = (smooth[:3], smooth[-3:], smooth[:, :3], smooth[:, -3:])
    rim = np.concatenate([edge.ravel() for edge in edges])
    otsu, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    # Where the head fills the picture, its rim is not air.
    air = min(float(np.partition(rim, rim.size // 2)[rim.size // 2]), otsu / 2)
    counts = counts_of(smooth)
    top = percentile(counts, 0.995) - air
    if top <= 8.0:
        return smooth
    tissue = np.maximum(counts - counts[min(int(air) + 8, 255)], 0)
    middle = (percentile(tissue, 0.5) - air) / top
    power = min(max(math.log(0.5) / math.log(min(max(middle, 0.02), 0.98)), 0.3), 3.0)
    table = np.clip((np.arange(256, dtype=np.float32) - air) / top, 0.0, 1.0) ** power * 255.0
    even: Grey = cv2.LUT(smooth, np.rint(table).astype(np.uint8))
    return even


def _head(even: Grey) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom: two standard deviations of the head about its centre."""
    otsu, _ = cv2.threshold(even, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    _, mask = cv2.threshold(even, max(otsu * 0.5, 8.0), 1, cv2.THRESH_BINARY)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    boxes = [cv2.boundingRect(each) for each in outlines]
    areas = [width * height for _, _, width, height in boxes]
    # Letters and banners are smaller; holes count as head.
    large = [
        each
        for each, area in zip(outlines, areas, strict=True)
        if area >= 0.25 * max(areas, default=0)
    ]
    mask[:] = 0
    cv2.drawContours(mask, large, -1, 1, -1)
    moments = cv2.moments(mask, True)
    area = moments["m00"]
    if area < _LEAST * mask.size:
        return None
    x, y = moments["m10"] / area + 0.5, moments["m01"] / area + 0.5
    wide = _REACH * math.sqrt(max(moments["mu20"] / area, 1.0))
    high = _REACH * math.sqrt(max(moments["mu02"] / area, 1.0))
    return x - wide, y - high, x + wide, y + high


def _structure(head: Grey) -> Numbers:
    """Return on which side of its surroundings each place is, −1 to 1, float32 (48, 48)."""
    smooth = cv2.GaussianBlur(head.astype(np.float32), (0, 0), _INNER)
    detail: Numbers = smooth - cv2.GaussianBlur(smooth, (0, 0), _OUTER)
    contrast = cv2.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _OUTER))
    detail /= contrast + np.float32(5.0)
    size = np.abs(detail).ravel()
    usual = float(np.partition(size, size.size // 2)[size.size // 2])
    detail *= 2.0 / max(usual, 1e-3)
    np.clip(detail, -1.0, 1.0, out=detail)
    return detail


_WAVES = cosine_rows(EDGE, SIDE)


def _turned() -> tuple[NDArray[np.intp], Numbers]:
    order, sign = [], []
    over = np.where(np.arange(EDGE) % 2, -1.0, 1.0).astype(np.float32)
    for turn in TURNS:
        places = np.arange(EDGE * EDGE).reshape(EDGE, EDGE)
        signs = np.ones((EDGE, EDGE), dtype=np.float32)
        quarters, mirrored = divmod(turn, 2)
        for _ in range(quarters):  # transposed, then upside down
            places, signs = places.T, signs.T * over[:, None]
        order.append(places.ravel())
        sign.append((signs * over if mirrored else signs).ravel())
    return np.stack(order), np.stack(sign)


_ORDER, _SIGN = _turned()
