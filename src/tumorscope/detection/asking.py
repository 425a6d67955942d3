"""Which slices of a series the network is asked about: few at first, then all where it matters.

Neighbours 3 mm apart say nearly the same, and most series lie far below the levels at which they
are answered. So a network is asked every 9 mm first, and only near the places where the smoothed
curve then comes close to a level, or above it, about each slice. A lone slice that looks like a
tumour lifts the curve enough for that; what lies between two slices that are 9 mm apart is too thin
to be called, however often it is looked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.model_file.series_rule import SeriesLevel

Values = NDArray[np.float64]
Places = NDArray[np.intp]

FIRST = 9.0
"""mm between the slices that are asked about first, at most."""

FEWEST = 12
"""Slices that are asked about first, at least: of short stacks all."""

MARGIN = 1.75
"""Log-odds below the lower level from which on the curve counts as close to it."""

REACH = 12.0
"""mm around such a place within which all slices are asked about: two kernels."""


def first_asked(positions: Values) -> Places:
    """Return the slices that are asked about first.

    Parameters
    ----------
    positions : ndarray of float, shape (slices,)
        In mm, ascending.

    Examples
    --------
    >>> import numpy as np
    >>> first_asked(np.arange(50) * 3.0)[:4]
    array([0, 3, 6, 9])
    >>> len(first_asked(np.arange(20) * 3.0)), len(first_asked(np.arange(20) * 6.0))
    (20, 20)
    """
    every = np.arange(len(positions))
    if len(positions) < FEWEST:
        return every
    step = max(float(positions[-1] - positions[0]) / (len(positions) - 1), 1e-3)
    stride = max(1, int(FIRST / step + 0.1))
    few = every[(len(positions) - 1) % stride // 2 :: stride]
    return few if len(few) >= FEWEST else every


def asked_closely(
    positions: Values, asked: Places, curve: Values | None, level: SeriesLevel
) -> Places:
    """Return the slices that are asked about next.

    Parameters
    ----------
    positions : ndarray of float, shape (slices,)
        Of all slices, in mm, ascending.
    asked : ndarray of int
        Which were asked about.
    curve : ndarray of float, shape of `asked`
        What came out there; None where too few were answered to say anything: then all are.
    level : SeriesLevel
        By which the series is answered.

    Examples
    --------
    >>> import numpy as np
    >>> positions, asked = np.arange(50) * 3.0, np.arange(0, 50, 3)
    >>> curve = np.full(17, -3.0)
    >>> curve[5] = 0.2
    >>> asked_closely(positions, asked, curve, SeriesLevel(no_tumour=-0.4, tumour=0.5))
    array([11, 13, 14, 16, 17, 19])
    """
    rest = np.setdiff1d(np.arange(len(positions)), asked)
    if curve is None:
        return rest
    close = positions[asked][curve >= level.no_tumour - MARGIN]
    if not len(close) or not len(rest):
        return rest[:0]
    there, next_up = positions[rest], np.searchsorted(close, positions[rest])
    below = there - close[np.maximum(next_up - 1, 0)]
    above = close[np.minimum(next_up, len(close) - 1)] - there
    return rest[np.minimum(np.abs(below), np.abs(above)) <= REACH + 1e-6]
