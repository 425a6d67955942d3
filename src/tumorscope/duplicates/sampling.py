"""What every comparison of heads is made of: sampling, local contrast, turns, unit lengths."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Number = TypeVar("Number", np.float32, np.int8)

TURNS = range(8)
"""Orientations: twice the quarter turns, and one more where it is mirrored afterwards."""


def stretched(pixels: NDArray[np.uint8], edge: int) -> Plane:
    """Return a part of a picture as a square, float32 (edge, edge)."""
    how = cv2.INTER_AREA if min(pixels.shape) >= edge else cv2.INTER_LINEAR
    square: Plane = cv2.resize(pixels.astype(np.float32), (edge, edge), interpolation=how)
    return square


def averaged(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Shrink a picture by a whole factor; what is left over at the end is cut off.

    Averaging whole numbers of pixels first takes a quarter of the time of resizing at once.
    """
    height, width = (side // factor for side in pixels.shape)
    whole = pixels[: height * factor, : width * factor]
    small: NDArray[np.uint8] = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return small


def local_contrast(pixels: Plane, inner: float, outer: float, *, floor: float) -> Plane:
    """Return each value's difference from its surroundings, divided by their contrast.

    Parameters
    ----------
    pixels : ndarray of float32, shape (height, width)
        Greys from 0 to 255.
    inner, outer : float
        Standard deviations in pixels between which structure counts.
    floor : float
        Greys that are added to the contrast: they keep the noise of an empty background from
        being blown up to full contrast.
    """
    smooth = cv2.GaussianBlur(pixels, (0, 0), inner)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), outer)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), outer)) + floor
    result: Plane = detail / contrast
    return result


def turned(planes: Plane, turn: int) -> Plane:
    """Return squares (..., edge, edge) in one of `TURNS`.

    Examples
    --------
    >>> turned(np.array([[1, 2], [3, 4]], np.float32), 1).tolist()
    [[2.0, 1.0], [4.0, 3.0]]
    """
    quarters, mirrored = divmod(turn, 2)
    seen: Plane = np.rot90(planes, quarters, axes=(-2, -1))
    return seen[..., ::-1] if mirrored else seen


def units(vectors: NDArray[np.float32], *, least: float = 1e-6) -> NDArray[np.float32]:
    """Return vectors (..., k) of unit length; those shorter than `least` stay short."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(least))
    return scaled


def in_blocks(vectors: NDArray[Number], size: int) -> NDArray[Number]:
    """Return vectors (n, k) as blocks (m, k, size), filled up with zeros.

    With few enough in a block a linear algebra library starts no threads of its own, which would
    fight with the threads that read images.
    """
    count, width = vectors.shape
    padded = np.concatenate([vectors, np.zeros((-count % size, width), vectors.dtype)])
    return np.ascontiguousarray(padded.reshape(-1, size, width).transpose(0, 2, 1))
