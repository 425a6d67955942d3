"""A grid of values as research formats store it → a `Volume`: what their readers have in common."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.dicom_file import short
from tumorscope.scans.limits import FARTHEST, MAX_VOXELS, SIDES, kept_as
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.remark import Remark
from tumorscope.scans.volume import SliceOrigin, Volume

MAX_VOLUMES = 20_000

COARSE = 1.2
"""An axis whose voxels are so many times as long as the next longest is the one across slices."""

Shape = tuple[int, int, int, int]
"""Columns, rows, slices and volumes."""


@contextlib.contextmanager
def damage() -> Iterator[None]:
    """Say in this room's way what libraries and the system say, each in its own."""
    try:
        yield
    except (NotReadError, MemoryError, KeyboardInterrupt, GeneratorExit):
        raise
    except FileNotFoundError as error:
        raise NotReadError("cannot-open", short(error)) from None
    except Exception as error:
        raise NotReadError("damaged", short(error)) from None


def check_grid(shape: Shape, dtype: np.dtype[np.generic]) -> None:
    """Refuse values that are no greys, and more of them than are read.

    Raises
    ------
    NotReadError
        With the reason.
    """
    if dtype.fields is not None:
        raise NotReadError("colour")
    if dtype.kind == "c":
        raise NotReadError("phase", "complex values")
    if dtype.kind not in "iuf":
        raise NotReadError("derived", f"values of type {dtype}")
    if shape[0] * shape[1] * shape[2] > MAX_VOXELS or shape[3] > MAX_VOLUMES:
        raise NotReadError("too-large", " × ".join(map(str, shape)))


def check_affine(affine: NDArray[np.float64]) -> None:
    """Refuse an affine that is none.

    Raises
    ------
    NotReadError
        If it holds what is no number, maps space onto a plane, or out of this world.
    """
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise NotReadError("geometry", "its affine maps space onto a plane, or to nowhere")
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    if sides.min() < SIDES[0] or sides.max() > SIDES[1] or np.abs(affine[:3, 3]).max() > FARTHEST:
        raise NotReadError("geometry", f"its voxels have sides of up to {sides.max():g} mm")


def slice_axis(affine: NDArray[np.float64], shape: Shape, stated: int | None = None) -> int:
    """Return the axis across the slices: a single voxel, as stated, the coarsest, or feet–head."""
    single = [axis for axis in range(3) if shape[axis] == 1]
    if len(single) == 1:
        return single[0]
    if stated is not None:
        return stated
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    shortest, middle, longest = np.sort(lengths)
    if longest > COARSE * middle and longest > COARSE * shortest:
        return int(np.argmax(lengths))
    return int(np.argmax(np.abs(affine[2, :3] / lengths)))


def next_volume(
    file: BinaryIO | io.BufferedIOBase,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    rescale: tuple[float, float] = (1.0, 0.0),
) -> tuple[NDArray[np.generic], bool]:
    """Return the next volume of a file after its scaling, and whether all values were finite.

    Those that are not become 0. It is read plane by plane, as a second whole one, of the values as
    stored, would be large.

    Parameters
    ----------
    file : binary file
        At the beginning of the volume.
    shape : tuple of int
        Columns, rows and slices.
    dtype : dtype
        Of the values in the file.
    rescale : tuple of float
        Slope and intercept.

    Returns
    -------
    values : ndarray, shape (columns, rows, slices)
        In native byte order.
    finite : bool
        See above.
    """
    columns, rows, slices = shape
    kept = kept_type(shape, dtype, rescale)
    planes = np.empty((slices, rows, columns), dtype=kept)
    promised, finite = columns * rows * dtype.itemsize, True
    for index in range(slices):
        data = file.read(promised)
        if len(data) < promised:
            had, whole = index * promised + len(data), slices * promised
            raise NotReadError("damaged", f"{had:,} of {whole:,} bytes of a volume")
        plane: NDArray[np.generic] = np.frombuffer(data, dtype=dtype).reshape(rows, columns)
        with np.errstate(over="ignore", invalid="ignore"):
            if rescale != (1.0, 0.0):
                plane = plane.astype(np.float64) * rescale[0] + rescale[1]
            planes[index] = plane
        if kept.kind == "f" and not np.isfinite(planes[index]).all():
            finite = False
            planes[index] = np.nan_to_num(planes[index], posinf=0.0, neginf=0.0)
    return planes.transpose(2, 1, 0), finite


def kept_type(
    shape: tuple[int, ...], dtype: np.dtype[np.generic], rescale: tuple[float, float] = (1.0, 0.0)
) -> np.dtype[np.generic]:
    """Return the type of the values that `next_volume` returns."""
    return kept_as(_scaled_as(dtype, rescale), math.prod(shape))


def _scaled_as(dtype: np.dtype[np.generic], rescale: tuple[float, float]) -> np.dtype[np.generic]:
    """Return the type that values have after their scaling."""
    if rescale != (1.0, 0.0):
        wide = dtype.itemsize > (2 if dtype.kind in "iu" else 4)
        return np.dtype(np.float64 if wide else np.float32)
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return dtype.newbyteorder("=")


def volume_of_grid(
    path: str,
    values: NDArray[np.generic],
    affine: NDArray[np.float64],
    axis: int,
    part: tuple[int, int],
    remarks: tuple[Remark, ...],
) -> Volume:
    """Return the volume of values (columns, rows, slices) and an affine of these to LPS."""
    rest = [other for other in (2, 1, 0) if other != axis]
    order = [axis, *rest]
    voxels = values.transpose(order)
    turned = affine.copy()
    turned[:, :3] = affine[:, order]
    # Slices ascend along the normal, as those of DICOM do.
    normal = np.cross(turned[:3, 2], turned[:3, 1])
    normal /= np.linalg.norm(normal)
    if turned[:3, 0] @ normal < 0:
        voxels = voxels[::-1]
        turned[:3, 3] += turned[:3, 0] * (len(voxels) - 1)
        turned[:3, 0] *= -1
    corners = turned[:3, 3] + np.arange(len(voxels))[:, None] * turned[:3, 0]
    places = [(float(one[0]), float(one[1]), float(one[2])) for one in corners]
    unit = turned[:3, :3] / np.linalg.norm(turned[:3, :3], axis=0)
    sheared = np.abs(unit.T @ unit - np.eye(3)).max() > 0.02
    tilt = (Remark("tilt", "the affine is sheared"),) if sheared else ()
    return Volume(
        voxels=voxels,
        affine=turned,
        positions=corners @ normal,
        regular=not sheared,
        origins=tuple(SliceOrigin(path, "", None, place) for place in places),
        path=path,
        part=part,
        remarks=(*remarks, *tilt),
    )
