"""Which voxels of a volume the pixels of a plane are, if they lie on its grid at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.volume import Volume

OFF = 0.1
"""Pixels may lie beside the middle of their voxels by this share of one: headers round."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plate:
    """A plane of pixels in patient space.

    Attributes
    ----------
    corner : ndarray of float64, shape (3,)
        Centre of its first pixel, in mm.
    down, right : ndarray of float64, shape (3,)
        From a pixel to the one below, and to the next in its row, in mm.
    rows, columns : int
        Its size.
    """

    corner: Vector
    down: Vector
    right: Vector
    rows: int
    columns: int


def voxels_of(volume: Volume, plate: Plate) -> tuple[NDArray[np.intp], ...] | None:
    """Return for each pixel of a plane which voxel of a volume it is.

    Rows may run along any axis of the volume, in either direction. Planes along the slices of a
    volume may lie on uneven ones; others need a regular volume.

    Returns
    -------
    tuple of ndarray of int, shape (rows, columns)
        Slice, row and column; None where a pixel lies between voxels or outside.
    """
    found = _grid_at(volume, plate)
    if found is None:
        return None
    to_mm, origin, first = found
    inverse = np.linalg.inv(to_mm)
    start = inverse @ (plate.corner - origin)
    steps = np.stack([inverse @ plate.down, inverse @ plate.right])
    whole = np.rint(steps)
    ends = np.array([plate.rows - 1, plate.columns - 1])
    drift = np.abs(steps - whole) * np.maximum(ends, 1)[:, None]
    if max(np.abs(start - np.rint(start)).max(), drift.max()) > OFF:
        return None
    if np.abs(whole).sum(axis=1).tolist() != [1.0, 1.0]:  # one voxel further, along one axis
        return None
    rows, columns = np.indices((plate.rows, plate.columns))
    begin = np.rint(start).astype(np.intp) + np.array([first, 0, 0])
    down, right = whole.astype(np.intp)
    places = [begin[axis] + rows * down[axis] + columns * right[axis] for axis in range(3)]
    shape = volume.voxels.shape
    inside = all(
        0 <= place.min() <= place.max() < n for place, n in zip(places, shape, strict=True)
    )
    return tuple(places) if inside else None


def _grid_at(volume: Volume, plate: Plate) -> tuple[NDArray[np.float64], Vector, int] | None:
    """Return the steps of voxels in mm, where they begin, and of which slice; None where uneven.

    Slices have their own places, however even the header calls them: where the plane is along them
    the nearest counts.
    """
    normal = np.cross(volume.affine[:3, 2], volume.affine[:3, 1])
    normal /= np.linalg.norm(normal)
    across = [abs(float(step @ normal)) for step in (plate.down, plate.right)]
    if max(across) > OFF * min(volume.spacing) / max(plate.rows, plate.columns):
        return (volume.affine[:3, :3], volume.affine[:3, 3], 0) if volume.regular else None
    corners = np.array([origin.position for origin in volume.origins])
    nearest = int(np.abs((corners - plate.corner) @ normal).argmin())
    steps = volume.affine[:3, :3].copy()
    steps[:, 0] = normal * volume.spacing[0]
    return steps, corners[nearest], nearest
