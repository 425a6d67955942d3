"""The value of a rank among all values of a volume, without a copy of it.

`numpy.partition` copies, and of whole volumes that is what the memory would go for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Ends = tuple[float, float]

DIGIT = 16
"""Bits that are looked at in one pass over the values."""


def planes_of(voxels: NDArray[np.generic], without: Ends | None) -> Iterator[NDArray[np.generic]]:
    """Yield the values of each slice, without those from a lowest to a highest value, if any."""
    for plane in voxels:
        values = plane.ravel()
        if without is not None:
            values = values[(values < without[0]) | (values > without[1])]
        yield values


def values_of_ranks(
    voxels: NDArray[np.generic], ranks: Sequence[int], without: Ends | None = None
) -> list[float]:
    """Return the values that stand at some ranks, from 0, once all are in order.

    Parameters
    ----------
    voxels : ndarray, shape (slices, rows, columns)
        Finite numbers.
    ranks : sequence of int
        Each below the number of voxels that count.
    without : tuple of float, optional
        Lowest and highest of the values that do not count.

    Examples
    --------
    >>> import numpy as np
    >>> values_of_ranks(np.array([[[5.0, -1.5, 2.0]]], np.float32), [0, 2])
    [-1.5, 5.0]
    """
    if voxels.dtype.kind in "iu" and voxels.dtype.itemsize <= 2:
        return _by_counting(voxels, ranks, without)
    return [_by_digits(voxels, rank, without) for rank in ranks]


def _by_counting(
    voxels: NDArray[np.generic], ranks: Sequence[int], without: Ends | None
) -> list[float]:
    base = int(np.iinfo(voxels.dtype).min)  # type: ignore[type-var]
    counts = np.zeros(1 << (8 * voxels.dtype.itemsize), dtype=np.int64)
    for plane in planes_of(voxels, without):
        counts += np.bincount(plane.astype(np.int64) - base, minlength=len(counts))
    below = np.cumsum(counts)
    return [float(np.searchsorted(below, rank, side="right") + base) for rank in ranks]


def _by_digits(voxels: NDArray[np.generic], rank: int, without: Ends | None) -> float:
    """Find the value's bits by counting, 16 at a time from the highest."""
    found = 0
    size = 8 * voxels.dtype.itemsize
    for shift in range(size - DIGIT, -1, -DIGIT):
        counts = np.zeros(1 << DIGIT, dtype=np.int64)
        for plane in planes_of(voxels, without):
            bits = _sortable(plane)
            if shift + DIGIT < size:
                bits = bits[bits >> bits.dtype.type(shift + DIGIT) == found]
            digits = bits >> bits.dtype.type(shift) & bits.dtype.type((1 << DIGIT) - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=len(counts))
        below = np.cumsum(counts)
        digit = int(np.searchsorted(below, rank, side="right"))
        rank -= int(below[digit - 1] if digit else 0)
        found = found << DIGIT | digit
    return _value(found, voxels.dtype)


def _sortable(plane: NDArray[np.generic]) -> NDArray[np.unsignedinteger]:
    """Return the bits of numbers as unsigned integers in the order of the values."""
    size = plane.dtype.itemsize
    bits: NDArray[np.unsignedinteger] = np.ascontiguousarray(plane).view(f"u{size}")
    top = bits.dtype.type(1 << (8 * size - 1))
    flip: NDArray[np.unsignedinteger] = np.zeros_like(bits)
    if plane.dtype.kind == "i":
        flip = np.full_like(bits, top)
    elif plane.dtype.kind == "f":
        flip = np.where(bits & top, ~bits.dtype.type(0), top)
    turned: NDArray[np.unsignedinteger] = bits ^ flip
    return turned


def _value(bits: int, dtype: np.dtype[np.generic]) -> float:
    """Undo `_sortable` for one number."""
    size = 8 * dtype.itemsize
    top = 1 << (size - 1)
    if dtype.kind == "i":
        bits ^= top
    elif dtype.kind == "f":
        bits ^= top if bits & top else (1 << size) - 1
    return float(np.array([bits], dtype=f"u{dtype.itemsize}").view(dtype)[0])
