"""The value of a rank among all values of a volume, without a copy of it.

`numpy.partition` copies, and of whole volumes that is what the memory would go for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def values_of_ranks(voxels: NDArray[np.generic], ranks: Sequence[int]) -> list[float]:
    """Return the values that stand at some ranks, from 0, once all are in order.

    Parameters
    ----------
    voxels : ndarray, shape (slices, rows, columns)
        Finite numbers.
    ranks : sequence of int
        Each below the number of voxels.

    Examples
    --------
    >>> import numpy as np
    >>> values_of_ranks(np.array([[[5.0, -1.5, 2.0]]], np.float32), [0, 2])
    [-1.5, 5.0]
    """
    if voxels.dtype.kind in "iu" and voxels.dtype.itemsize <= 2:
        return _by_counting(voxels, ranks)
    if voxels.dtype == np.float32:
        return [_by_halves(voxels, rank) for rank in ranks]
    ordered = np.partition(voxels, list(ranks), axis=None)
    return [float(ordered[rank]) for rank in ranks]


def _by_counting(voxels: NDArray[np.generic], ranks: Sequence[int]) -> list[float]:
    base = int(np.iinfo(voxels.dtype).min)  # type: ignore[type-var]
    counts = np.zeros(1 << (8 * voxels.dtype.itemsize), dtype=np.int64)
    for plane in voxels:
        counts += np.bincount(plane.ravel().astype(np.int64) - base, minlength=len(counts))
    below = np.cumsum(counts)
    return [float(np.searchsorted(below, rank, side="right") + base) for rank in ranks]


def _by_halves(voxels: NDArray[np.generic], rank: int) -> float:
    """Find the upper 16 bits of the value by counting, and then the lower."""
    half = 0
    for lower in (False, True):
        counts = np.zeros(1 << 16, dtype=np.int64)
        for plane in voxels:
            bits = _sortable(plane)
            chosen = bits[bits >> 16 == half] & 0xFFFF if lower else bits >> 16
            counts += np.bincount(chosen, minlength=len(counts))
        below = np.cumsum(counts)
        found = int(np.searchsorted(below, rank, side="right"))
        if lower:
            half = half << 16 | found
        else:
            half, rank = found, rank - int(below[found - 1] if found else 0)
    back = half ^ 0x80000000 if half & 0x80000000 else half ^ 0xFFFFFFFF
    return float(np.array([back], dtype=np.uint32).view(np.float32)[0])


def _sortable(plane: NDArray[np.generic]) -> NDArray[np.uint32]:
    """Return the bits of float32 as integers in the order of the values."""
    bits = np.ascontiguousarray(plane).view(np.uint32).ravel()
    sign = bits >> 31
    flip = np.where(sign == 1, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    turned: NDArray[np.uint32] = bits ^ flip
    return turned
