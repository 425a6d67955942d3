"""Only some slices of a stack are looked at: the others are left out before they are decoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.planes import Plane, descends, plane_of
from tumorscope.scans.spread import spread
from tumorscope.scans.stack import Stack, evenly
from tumorscope.scans.volume import Thinned, Volume


def thinned_stack(
    stack: Stack, every: float | None, plane: Plane | None
) -> tuple[Stack, Thinned | None]:
    """Return what is left of a stack whose slices are looked at some mm apart.

    Parameters
    ----------
    stack : Stack
        Sorted images, not decoded.
    every : float, optional
        Distance in mm, see `tumorscope.scans.spread.spread`; None leaves all.
    plane : str, optional
        In which it is looked at; across the acquired slices all are needed.
    """
    places = _left(stack.affine, stack.positions, every, plane)
    if places is None or every is None:
        return stack, None
    positions = stack.positions[places]
    left = Stack(
        frames=tuple(stack.frames[place] for place in places),
        positions=positions,
        corners=stack.corners[places],
        regular=stack.regular and evenly(positions),
        remarks=stack.remarks,
        cut_off=stack.cut_off,
    )
    return left, Thinned(every, tuple(places), stack.origins)


def thinned_volume(volume: Volume, every: float | None, plane: Plane | None = None) -> Volume:
    """Return a volume with the slices that would be left of its stack; see `thinned_stack`."""
    places = _left(volume.affine, volume.positions, every, plane)
    if volume.thinned is not None or places is None or every is None:
        return volume
    affine = volume.affine.copy()
    origins = tuple(volume.origins[place] for place in places)
    affine[:3, 3] = origins[0].position
    if len(places) > 1:
        first, last = (np.array(each.position) for each in (origins[0], origins[-1]))
        affine[:3, 0] = (last - first) / (len(places) - 1)
    return replace(
        volume,
        voxels=volume.voxels[places],
        affine=affine,
        positions=volume.positions[places],
        regular=volume.regular and evenly(volume.positions[places]),
        origins=origins,
        thinned=Thinned(every, tuple(places), volume.origins),
    )


def _left(
    affine: NDArray[np.float64],
    positions: NDArray[np.float64],
    every: float | None,
    plane: Plane | None,
) -> list[int] | None:
    """Return the slices that are left, ascending; None where all are needed."""
    if every is None or plane not in (None, plane_of(affine)):
        return None
    last = len(positions) - 1
    if not descends(affine):
        return spread(positions, every)
    # Chosen as they are shown, so that the direction in which they are stored changes nothing.
    return sorted(last - place for place in spread(-positions[::-1], every))
