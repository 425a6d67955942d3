"""How volumes are looked at: along which plane, how far apart, through which window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from tumorscope.common.errors import UsageError
from tumorscope.scans import Plane, Window
from tumorscope.scans.spread import spread

FINEST = 3.0
"""mm between slices: the levels for series are chosen so, and finer ones add nothing to a curve
that is smoothed over some 15 mm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How volumes are looked at.

    Attributes
    ----------
    plane : str, optional
        axial, coronal or sagittal; the acquired plane by default.
    every : float, optional
        Distance of slices in mm; None for every slice.
    window : Window
        How values become greys.
    batch : int, optional
        Slices per run of the engine.
    sparing : bool
        Whether slices far from any place that could decide are asked about in part only, where
        `every` is given; see `tumorscope.detection.asking`.
    """

    plane: Plane | None = None
    every: float | None = FINEST
    window: Window = field(default_factory=Window)
    batch: int | None = None
    sparing: bool = True


USUALLY = Looking()


def looking(
    *,
    plane: Plane | None = None,
    every: float | None = FINEST,
    window: str = "percentile",
    batch: int | None = None,
    sparing: bool = True,
) -> Looking:
    """Return how volumes are looked at, if it can be meant.

    Raises
    ------
    UsageError
        If there is no such plane or window, or the distance is not above 0.
    """
    if plane is not None and plane not in get_args(Plane):
        raise UsageError(
            f"Received the plane {plane!r}; expected axial, coronal or sagittal, or none for the "
            "plane in which each volume was acquired."
        )
    if every is not None:
        spread([0.0, 1.0], every)  # which says what is wrong with it
    return Looking(
        plane=plane, every=every, window=Window.parse(window), batch=batch, sparing=sparing
    )
