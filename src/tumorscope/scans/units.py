"""Lengths in the unit that a header states → millimetres, unless they cannot be in that unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.remark import Remark

VOXELS = (0.05, 100.0)
"""In mm: the longest side of a voxel of a scan lies between these."""


def to_millimetres(
    axes: NDArray[np.float64], stated: Sequence[float], name: str
) -> tuple[NDArray[np.float64], tuple[Remark, ...]]:
    """Return what coordinates are multiplied by, and a remark where the unit is not mm.

    Programs that know no units write millimetres below a unit that stands there by chance. Most
    others read them so, and a head of 200 m is none.

    Parameters
    ----------
    axes : ndarray of float64, shape (3, 3)
        Sides of a voxel as columns, in the units that the header states.
    stated : sequence of float
        How many millimetres the unit of each axis of space has.
    name : str
        Of the unit.

    Examples
    --------
    >>> import numpy as np
    >>> to_millimetres(np.eye(3) / 1000, [1e3] * 3, "metres")[0].tolist()
    [1000.0, 1000.0, 1000.0]
    >>> to_millimetres(np.eye(3), [1e3] * 3, "metres")[0].tolist()
    [1.0, 1.0, 1.0]
    """
    factors = np.array(stated, dtype=np.float64)
    if (factors == 1.0).all():
        return factors, ()
    found = _longest(factors[:, None] * axes)
    if _usual(_longest(axes)) and not _usual(found):
        why = f"{name}, taken for mm, as voxels would have sides of {found:g} mm"
        return np.ones(3), (Remark("units", why),)
    return factors, (Remark("units", f"{name}, converted to mm"),)


def _longest(axes: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(axes, axis=0).max())


def _usual(side: float) -> bool:
    return VOXELS[0] <= side <= VOXELS[1]
