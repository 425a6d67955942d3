"""The mask of a lesion: read, put where `prepare` puts the picture, and kept as bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.imaging.preprocess import Placement, place_box, resize_to
from tumorscope.imaging.read import read_slice

Mask = NDArray[np.bool_]
"""True inside the lesion, shape (height, width)."""

WHITE = 127
"""Greys above this are inside."""

LEAST = 32
"""A lesion that covers no half of any pixel is where it covers most, if that is an eighth."""


def read_mask(path: Path, shape: tuple[int, ...]) -> Mask:
    """Read the mask of a picture of a shape.

    Returns
    -------
    ndarray of bool, of that shape
        True inside the lesion; nowhere, where the file outlines nothing.

    Raises
    ------
    UnreadableImageError
        If it cannot be read.
    InputError
        If it has another size than its image.
    """
    mask: Mask = read_slice(path).pixels > WHITE
    if mask.shape != shape:
        raise InputError(
            f"{path} has {mask.shape} pixels, its image {shape}. Expected a mask of the image's "
            "size, white inside the lesion."
        )
    return mask


def place_mask(mask: Mask, place: Placement, size: int) -> Mask:
    """Put a mask where `tumorscope.imaging.prepare` puts the picture.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        Of the slice as it was read.
    place : Placement
        Of that slice; see `tumorscope.imaging.preprocess.placement`.
    size : int
        Edge of the network's input.

    Returns
    -------
    ndarray of bool, shape (size, size)
        True where at least half a pixel is inside; of a lesion too small for that, its middle.

    Examples
    --------
    >>> from tumorscope.imaging import Preprocessing, Slice
    >>> from tumorscope.imaging.preprocess import placement
    >>> scan = Slice(np.full((2, 4), 100, np.uint8), source="")
    >>> place = placement(scan, Preprocessing(size=4, fit="pad"))
    >>> place_mask(scan.pixels > 50, place, 4).any(axis=1).tolist()
    [False, True, True, False]
    """
    return inside_of(place_coverage(coverage_of(mask), place, size))


def place_coverage(coverage: NDArray[np.uint8], place: Placement, size: int) -> NDArray[np.uint8]:
    """Put a coverage where `tumorscope.imaging.prepare` puts the picture; see `coverage_of`."""
    top, bottom, left, right = place.box
    return place_box(coverage[top:bottom, left:right], place, size)


def shrink_mask(mask: Mask, size: int) -> Mask:
    """Return a mask (edge, edge) as (size, size), as the picture of it is averaged down."""
    return inside_of(resize_to(coverage_of(mask), size, size))


def coverage_of(mask: Mask) -> NDArray[np.uint8]:
    """Return how much of each pixel a mask covers, 0 to 255: greys that can be resampled."""
    return mask.astype(np.uint8) * 255


def inside_of(coverage: NDArray[np.uint8]) -> Mask:
    """Return the mask of what is covered by half or more; see `LEAST`.

    Examples
    --------
    >>> inside_of(np.array([[0, 90, 200]], np.uint8)).tolist()
    [[False, False, True]]
    >>> inside_of(np.array([[0, 90, 20]], np.uint8)).tolist()
    [[False, True, False]]
    """
    inside: Mask = coverage >= min(WHITE + 1, max(int(coverage.max()), LEAST))
    return inside


def pack_mask(mask: Mask) -> NDArray[np.uint8]:
    """Return a mask as bits, an eighth of its bytes; see `unpack_mask`."""
    return np.packbits(mask, axis=-1)


def unpack_mask(bits: NDArray[np.uint8], width: int) -> Mask:
    """Return the mask that `pack_mask` packed, `width` pixels wide.

    Examples
    --------
    >>> mask = np.array([[True, False, True]])
    >>> unpack_mask(pack_mask(mask), 3).tolist()
    [[True, False, True]]
    """
    return np.unpackbits(bits, axis=-1, count=width).astype(np.bool_)
