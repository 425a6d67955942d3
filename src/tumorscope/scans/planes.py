"""A volume turned so that its slices lie as a radiologist sees them, by flips and turns alone.

Axial: anterior up; coronal and sagittal: head up. Axial and coronal: the patient's right on the
left; sagittal: anterior on the left. Slices ascend towards the patient's head, back and left.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError, UsageError
from tumorscope.scans.volume import Volume

Plane = Literal["axial", "coronal", "sagittal"]

_THROUGH: dict[Plane, int] = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Plane → which axis of patient space (left, posterior, superior) goes through its slices."""

_DOWN_RIGHT: dict[Plane, tuple[tuple[int, int], tuple[int, int]]] = {
    "axial": ((1, 1), (0, 1)),
    "coronal": ((2, -1), (0, 1)),
    "sagittal": ((2, -1), (1, 1)),
}
"""Plane → axis and sign of patient space that point down and to the right of the picture."""


_TWIST = np.array([[1.0, -0.001, 0.002], [0.001, 1.0, -0.0015], [-0.002, 0.0015, 1.0]])
"""Turns space by a tenth of a degree before it is asked what is nearest to what, so that volumes at
exactly 45 degrees are shown alike, however their axes are stored and their headers round."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A volume as it is looked at.

    Attributes
    ----------
    plane : str
        Of the slices.
    acquired : bool
        Whether they are the slices of the volume itself.
    voxels : ndarray, shape (slices, rows, columns)
        A view of the volume's.
    spacing : tuple of float
        Of rows and columns, in mm.
    centres : ndarray of float64, shape (slices, 3)
        Of each slice in patient space, in mm.
    positions : ndarray of float64, shape (slices,)
        Of each slice along the normal, in mm, ascending.
    order : ndarray of int, shape (slices,)
        Which slices of the volume they are; only where `acquired`.
    places : ndarray of int, shape (slices,)
        Of each among all slices of the plane, also where some were left out.
    """

    plane: Plane
    acquired: bool
    voxels: NDArray[np.generic]
    spacing: tuple[float, float]
    centres: NDArray[np.float64]
    positions: NDArray[np.float64]
    order: NDArray[np.intp]
    places: NDArray[np.intp]


def acquired_plane(volume: Volume) -> Plane:
    """Return the plane that is nearest to the slices of a volume.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from tumorscope.scans import index_study, read_volumes
    >>> [volume] = read_volumes(index_study(get_testdata_file("MR_small.dcm")).series[0])
    >>> acquired_plane(volume)
    'axial'
    """
    return plane_of(volume.affine)


def plane_of(affine: NDArray[np.float64]) -> Plane:
    """Return the plane that is nearest to the slices of a volume with such an affine matrix."""
    through = _axes(affine)[0]
    return next(plane for plane, axis in _THROUGH.items() if axis == through)


def descends(affine: NDArray[np.float64]) -> bool:
    """Return whether the slices of a volume are shown last first, to ascend as `views` does."""
    return bool(affine[_axes(affine)[0], 0] < 0)


def turned(volume: Volume, plane: Plane | None = None) -> Turned:
    """Return a volume with its slices in a plane, the acquired one by default.

    Raises
    ------
    UsageError
        If there is no such plane.
    InputError
        If it is another than the acquired one, and the slices do not lie at even distances
        straight above each other.
    """
    own = acquired_plane(volume)
    plane = own if plane is None else plane
    if plane not in get_args(Plane):
        raise UsageError(
            f"Received {plane!r} for a plane; expected axial, coronal or sagittal, or none for the "
            "plane in which the scan was acquired."
        )
    if plane != own and not volume.regular:
        raise InputError(
            f"Received {volume.path} to be cut along {plane} planes; expected slices at even "
            f"distances, straight above each other. Look at its {own} slices, as they were "
            "acquired."
        )
    axes = _axes(volume.affine)
    wanted = (_THROUGH[plane], *(axis for axis, _ in _DOWN_RIGHT[plane]))
    signs = (1, *(sign for _, sign in _DOWN_RIGHT[plane]))
    order = [axes.index(axis) for axis in wanted]
    steps = volume.affine[:3, :3][:, order]
    flips = [bool(steps[axis, i] * signs[i] < 0) for i, axis in enumerate(wanted)]
    voxels = volume.voxels.transpose(order)
    voxels = voxels[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    centres, index = _centres(volume, order[0], flips[0])
    normal = np.cross(steps[:, 1], steps[:, 2])
    normal = normal / np.linalg.norm(normal) * np.sign(normal[wanted[0]] or 1.0)
    spacing = (float(np.linalg.norm(steps[:, 1])), float(np.linalg.norm(steps[:, 2])))
    places = np.arange(len(index))
    if volume.thinned is not None and plane == own:
        places = np.array(volume.thinned.places)[index]
        places = volume.thinned.total - 1 - places if flips[0] else places
    return Turned(plane, plane == own, voxels, spacing, centres, centres @ normal, index, places)


def directions(
    volume: Volume, plane: Plane | None = None
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return which way of patient space points to the right of the slices, and which down.

    Unit vectors (left, posterior, superior), for a plane that `turned` takes.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from tumorscope.scans import index_study, read_volumes
    >>> [volume] = read_volumes(index_study(get_testdata_file("MR_small.dcm")).series[0])
    >>> directions(volume)
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    """
    axes = _axes(volume.affine)
    down, right = (
        _unit(volume.affine[:3, axes.index(axis)], axis, sign)
        for axis, sign in _DOWN_RIGHT[plane or acquired_plane(volume)]
    )
    return right, down


def _unit(step: NDArray[np.float64], axis: int, sign: int) -> tuple[float, float, float]:
    """Return the direction of a step, turned so that it goes along an axis of patient space."""
    x, y, z = step / np.linalg.norm(step) * (-1.0 if step[axis] * sign < 0 else 1.0)
    return float(x), float(y), float(z)


def _centres(volume: Volume, axis: int, flip: bool) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the centres of slices across an axis of the voxels, and their order."""
    shape = np.array(volume.voxels.shape)
    index = np.arange(shape[axis])
    if axis == 0:  # each at its own place, however uneven
        corners = np.array([origin.position for origin in volume.origins])
        half = volume.affine[:3, 1:3] @ ((shape[1:] - 1) / 2.0)
        centres = corners + half
    else:
        places = np.tile((shape - 1) / 2.0, (len(index), 1))
        places[:, axis] = index
        centres = places @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    order = index[::-1] if flip else index
    return centres[order], order.astype(np.intp)


def _axes(affine: NDArray[np.float64]) -> tuple[int, ...]:
    """Return which axis of patient space each axis of the voxels is nearest to, each only once."""
    unit = np.abs(_TWIST @ (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)))
    return max(
        permutations(range(3)),
        key=lambda axes: float(sum(unit[axis, i] for i, axis in enumerate(axes))),
    )
