"""Where the brain is in a slice that shows the whole head, so that its skull can be removed.

A rule of thumb, not a segmentation: it says nothing where it is not sure. It is good for making
training images without skull, and for asking a model whether it answers the same without.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

EDGE = 160
Places = TypeVar("Places", float, NDArray[np.float64])

SMALLEST, LARGEST = 0.30, 0.86
"""Share of the head that a brain may fill; more is a head without skull, less a failure."""

FARTHEST = 0.05
"""What a pixel of a piece counts at least, however far its centre is from the picture's."""


def brain_mask(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Find the brain inside the skull.

    The head is what is brighter than air. Skull and fluid around the brain are dark in most
    sequences, so eroding tissue by a growing amount detaches the brain from scalp and face; the
    largest roundish piece near the middle is grown back by as much.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width)
        A grey slice, best one that is cropped to the head.

    Returns
    -------
    ndarray of bool, shape (height, width), or None
        True inside the brain; None where no skull can be told from a brain, as in slices that are
        stripped already, or no piece looks like a brain.
    """
    height, width = pixels.shape
    scale = EDGE / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.GaussianBlur(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), (3, 3), 0)
    otsu, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    head = _filled(small > max(0.4 * otsu, 8.0))
    area = int(head.sum())
    if area < 0.2 * head.size:
        return None
    for share in (0.55, 0.7, 0.85, 1.0):
        tissue = (small > share * otsu).astype(np.uint8)
        for radius in (2, 3, 4, 5, 6, 8):
            piece = _middle_piece(cv2.erode(tissue, _disc(radius)))
            if piece is None:
                break
            # Growing, closing and filling only add: what is too large before is so after.
            if _inside(piece, head) > LARGEST * area:
                continue
            grown = cv2.dilate(piece, _disc(radius + 1))
            if _inside(grown, head) > LARGEST * area:
                continue
            whole = _filled(cv2.morphologyEx(grown, cv2.MORPH_CLOSE, _disc(6)) > 0) & head
            if _looks_like_brain(whole, head, area):
                enlarged = cv2.resize(
                    whole.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR
                )
                found: NDArray[np.bool_] = enlarged > 127
                return found
    return None


def _inside(piece: NDArray[np.uint8], head: NDArray[np.bool_]) -> int:
    return cv2.countNonZero(piece * head)


def _looks_like_brain(mask: NDArray[np.bool_], head: NDArray[np.bool_], area: int) -> bool:
    if not SMALLEST <= mask.sum() / area <= LARGEST:
        return False
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    hull = cv2.contourArea(cv2.convexHull(outline))
    if cv2.contourArea(outline) < 0.9 * hull:
        return False
    # A brain lies inside its head: hardly any of its outline is the head's own.
    inner = cv2.erode(head.astype(np.uint8), _disc(2)) > 0
    points = outline[:, 0]
    return bool(inner[points[:, 1], points[:, 0]].mean() > 0.8)


def _middle_piece(mask: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the largest piece, counted by how near it lies to the middle of the picture."""
    likely = _piece_at_middle(mask)
    if likely is not None:
        return likely
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return None
    weights = stats[1:, cv2.CC_STAT_AREA] * _nearness(centres[1:, 0], centres[1:, 1], mask.shape)
    piece: NDArray[np.uint8] = (labels == 1 + int(np.argmax(weights))).astype(np.uint8)
    return piece


def _piece_at_middle(mask: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the piece at the middle, where no other can count for more; else None.

    To fill one piece takes a fraction of the time of finding all.
    """
    height, width = mask.shape
    row = round(0.45 * height)
    there = np.flatnonzero(mask[row])
    if not len(there):
        return None
    seed = (int(there[np.abs(there - width // 2).argmin()]), row)
    filled = np.zeros((height + 2, width + 2), dtype=np.uint8)
    how = 4 | cv2.FLOODFILL_MASK_ONLY
    area, *_ = cv2.floodFill(mask, filled, seed, 1, 0, 0, how)
    piece = filled[1:-1, 1:-1]
    others = cv2.countNonZero(mask) - area
    if area * FARTHEST <= others:
        moments = cv2.moments(piece, binaryImage=True)
        near = _nearness(moments["m10"] / area, moments["m01"] / area, mask.shape)
        if area * near <= others:
            return None
    return piece.copy()


def _nearness(column: Places, row: Places, shape: tuple[int, ...]) -> Places:
    """Return how much a pixel of a piece counts, by how near its centre is to the picture's."""
    height, width = shape
    away = np.hypot(column / width - 0.5, row / height - 0.45)
    near: Places = np.clip(1.0 - 1.5 * away, FARTHEST, 1.0)
    return near


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest piece of a mask with its holes closed."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    output = np.zeros(mask.shape, dtype=np.uint8)
    if contours:
        largest = max(contours, key=cv2.contourArea)
        cv2.drawContours(output, [largest], -1, 1, thickness=cv2.FILLED)
    return output > 0


@cache
def _disc(radius: int) -> NDArray[np.uint8]:
    kernel: NDArray[np.uint8] = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)
    ).astype(np.uint8)
    return kernel
