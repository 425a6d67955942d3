"""Which slices of a stack lie a given distance apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tumorscope.common.errors import UsageError


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
    lines = int(length / every + 1e-6)
    start = float(places[0]) + (length - lines * every) / 2.0
    found: list[int] = []
    for line in range(lines + 1):
        nearest = int(np.abs(places - (start + line * every) + 1e-6).argmin())
        if not found or nearest != found[-1]:
            found.append(nearest)
    return found
