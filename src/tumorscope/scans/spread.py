"""Which slices of a stack lie a given distance apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tumorscope.common.errors import UsageError

NEARER = 1e-6
"""In mm: of two slices that are as far from a line, the lower is taken."""


def spread(positions: ArrayLike, every: float) -> list[int]:
    """Return the slices that are nearest to a grid with `every` mm between its lines.

    The grid lies so that what is left over is the same at both ends; a stack with larger steps
    keeps each of its slices.

    Parameters
    ----------
    positions : array_like of float, shape (slices,)
        Along the normal, in mm, ascending.
    every : float
        Distance in mm, above 0.

    Raises
    ------
    UsageError
        If the distance is not above 0.

    Examples
    --------
    >>> spread([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], 4.0)
    [0, 2, 4]
    >>> spread([0.0, 5.0, 10.0], 4.0)
    [0, 1, 2]
    """
    if not (np.isfinite(every) and every > 0):
        raise UsageError(
            f"Received {every:g} for the distance of slices; expected millimetres above 0, such as "
            "5. Leave it out to take every slice."
        )
    places = np.asarray(positions, dtype=np.float64)
    length = float(places[-1] - places[0])
    # Lines closer than this take every slice all the same, and their number stays a number.
    every = max(every, length * 1e-9)
    lines = int(length / every + 1e-6) if every else 0
    start = float(places[0]) + (length - lines * every) / 2.0 - NEARER
    halves = (places[:-1] + places[1:]) / 2.0
    # A slice is taken where a line lies in its half of the way to either neighbour.
    first, last = np.full(len(places), -1.0), np.full(len(places), float(lines))
    if every:
        first[1:] = np.floor((halves - start) / every)
        last[:-1] = np.minimum(first[1:], lines)
    return [int(index) for index in np.flatnonzero(first < last)]
