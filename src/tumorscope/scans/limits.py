"""How large a volume may be, and in which type its values are kept."""

from __future__ import annotations

import numpy as np

MAX_VOXELS = 100_000_000
"""Of one volume, 512 × 512 × 381; more are refused before anything is decoded."""

SIDES = (1e-4, 1e4)
"""In mm: the smallest and the largest side of a voxel that can be meant."""

FARTHEST = 1e6
"""In mm: no voxel lies further from the middle of a scanner, by what a header says."""

MAX_BYTES = 4 * MAX_VOXELS
"""Of the values of one volume."""


def kept_as(dtype: np.dtype[np.generic], voxels: int) -> np.dtype[np.generic]:
    """Return in which type values are kept: in 32 bits where 64 would take more than `MAX_BYTES`.

    Pictures have 8 bits, so that nothing of it is seen.

    Examples
    --------
    >>> kept_as(np.dtype("float64"), 256**3), kept_as(np.dtype("float64"), 450**3)
    (dtype('float64'), dtype('float32'))
    """
    return np.dtype(np.float32) if dtype.itemsize * voxels > MAX_BYTES else dtype
