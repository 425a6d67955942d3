"""Evidence map → colours over the slice that it belongs to, where the network saw each part."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.preprocess import Placement, Preprocessing, placement
from tumorscope.imaging.slice import Slice

LIMIT = 1.0
"""Logit per cell of a 7 × 7 map at which colours are full: the same for all images, so that they
can be compared. Of two networks on public images, 99 % of the cells lie within it."""

OPACITY = 0.7
"""Of full colour, so that anatomy shows through."""

TOWARDS, AWAY = (235, 45, 40), (50, 120, 255)


def full_colour(shape: tuple[int, ...]) -> float:
    """Return the logit per cell at which a colour is full, for an evidence map of that shape.

    Examples
    --------
    >>> full_colour((7, 7)), full_colour((14, 14))
    (1.0, 0.25)
    """
    return LIMIT * 49 / (shape[0] * shape[1])


def evidence_field(
    evidence: NDArray[np.float32], scan: Slice, how: Preprocessing, *, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Enlarge an evidence map to lie on its slice.

    Parameters
    ----------
    evidence : ndarray of float32, shape (h, w)
        Over the network input.
    scan : Slice
        As it was read.
    how : Preprocessing
        Of the model.
    shape : tuple of int
        Height and width to draw the slice in.

    Returns
    -------
    ndarray of float32, shape `shape`
        Logit per cell; 0 where the network saw nothing of the slice.
    """
    place = placement(scan, how)
    (rows, seen_rows), (columns, seen_columns) = (
        _cubic(length, evidence.shape[axis], scan.pixels.shape[axis], how.size, place, axis)
        for axis, length in enumerate(shape)
    )
    field: NDArray[np.float32] = (rows @ evidence @ columns.T).astype(np.float32, copy=False)
    field[~seen_rows] = 0.0
    field[:, ~seen_columns] = 0.0
    return field


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


def scaled(pixels: NDArray[np.uint8], *, longest: int, shortest: int = 1) -> NDArray[np.uint8]:
    """Resize a grey image so that its longer side lies between `shortest` and `longest` pixels.

    Examples
    --------
    >>> scaled(np.zeros((300, 600), np.uint8), longest=200).shape
    (100, 200)
    """
    edge = max(pixels.shape)
    wanted = min(max(edge, shortest), longest)
    if wanted == edge:
        return pixels
    height, width = (max(1, round(side * wanted / edge)) for side in pixels.shape)
    how = cv2.INTER_AREA if wanted < edge else cv2.INTER_CUBIC
    resized: NDArray[np.uint8] = cv2.resize(pixels, (width, height), interpolation=how)
    return resized


def _cubic(
    length: int, cells: int, pixels: int, size: int, place: Placement, axis: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the weights (length, cells) that enlarge one axis, and which rows were seen.

    Cubic with a slope of zero at each cell's centre: between two centres no value leaves theirs.
    The usual cubics overshoot, which would draw blue rings around red that no evidence stands for;
    and OpenCV's warps round coordinates to a 32nd, which shows as steps at this enlargement.
    """
    start, stop = place.box[2 * axis : 2 * axis + 2]
    inner_start = (place.top, place.left)[axis]
    inner = (place.height, place.width)[axis]
    on_slice = (np.arange(length) + 0.5) * (pixels / length)
    on_input = (on_slice - start) * (inner / (stop - start)) + inner_start
    # Beyond the rim the outermost cell goes on.
    at = np.clip(on_input * (cells / size) - 0.5, 0.0, cells - 1.0)
    away = np.minimum(np.abs(at[:, None] - np.arange(cells)[None, :]), 1.0)
    weights = 1.0 - away * away * (3.0 - 2.0 * away)
    seen = (on_slice >= start) & (on_slice < stop)
    return weights.astype(np.float32), seen
