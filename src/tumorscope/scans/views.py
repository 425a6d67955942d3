"""A volume → its slices as pictures of 8 bits with square pixels, each with its place in space."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.preprocess import resize_to
from tumorscope.imaging.slice import Slice
from tumorscope.scans.planes import Plane, Turned, turned
from tumorscope.scans.spread import spread
from tumorscope.scans.volume import SliceOrigin, Volume
from tumorscope.scans.window import Applied, Window, greys, middle_of, windows_of

SQUARE = 1e-3
"""Pixels whose sides differ by less than this share count as square."""

LARGEST_EDGE = 1024
"""Pictures that are resampled are not made larger than this; small ones never need to be."""


@dataclass(frozen=True, slots=True, eq=False)
class ScanSlice:
    """One slice of a volume as a radiologist sees it.

    Attributes
    ----------
    slice : Slice
        The picture, 8 bits, with square pixels; its `source` names file, frame or plane and place.
    plane : str
        axial, coronal or sagittal: the nearest to how it lies.
    index : int
        Its place among the slices of the plane, from 0.
    position : float
        Along the normal of the plane, in mm, ascending towards head, back or left.
    centre : tuple of float
        In patient space (left, posterior, superior), in mm.
    path : str
        The file.
    sop_instance_uid : str
        As in the file; empty for NIfTI, and for slices across the acquired ones.
    frame : int, optional
        Of a multi-frame file, from 1.
    window : Applied
        The values that became black and white, and where they come from.
    """

    slice: Slice = field(repr=False)
    plane: Plane
    index: int
    position: float
    centre: tuple[float, float, float]
    path: str
    sop_instance_uid: str
    frame: int | None
    window: Applied


def views(
    volume: Volume,
    plane: Plane | None = None,
    *,
    window: Window | None = None,
    every: float | None = None,
    only: Collection[int] | None = None,
) -> Iterator[ScanSlice]:
    """Show the slices of a volume as a radiologist sees them.

    They are turned (see `tumorscope.scans.planes`), not resampled, unless their pixels are not
    square: then the coarser side is interpolated.

    Parameters
    ----------
    volume : Volume
        Of `read_volumes` or `read_nifti`.
    plane : str, optional
        axial, coronal or sagittal; the acquired plane by default.
    window : Window, optional
        How values become greys; by the volume's percentiles by default.
    every : float, optional
        Distance of slices in mm, see `tumorscope.scans.spread.spread`; all by default.
    only : collection of int, optional
        Of these slices those with such an index.

    Yields
    ------
    ScanSlice
        From feet to head, front to back or right to left.

    Raises
    ------
    UsageError
        If there is no such plane.
    InputError
        If it is not the acquired one, and slices are missing, uneven or tilted.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from tumorscope.scans import index_study, read_volumes
    >>> [volume] = read_volumes(index_study(get_testdata_file("MR_small.dcm")).series[0])
    >>> [shown] = views(volume)
    >>> shown.plane, shown.position, shown.slice.pixels.shape, shown.slice.pixels.dtype
    ('axial', 6.6406, (64, 64), dtype('uint8'))
    """
    seen = turned(volume, plane)
    windows = windows_of(volume, window or Window())
    if not seen.acquired:
        windows = [middle_of(windows)] * len(volume.origins)
    for index in _wanted(volume, seen, every):
        if only is None or int(seen.places[index]) in only:
            yield _shown(volume, seen, index, windows)


def positions_of(
    volume: Volume, plane: Plane | None = None, *, every: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the positions of the slices that `views` shows, in mm, and their `index`."""
    seen = turned(volume, plane)
    wanted = _wanted(volume, seen, every)
    return seen.positions[wanted], seen.places[wanted]


def _wanted(volume: Volume, seen: Turned, every: float | None) -> list[int]:
    thinned = volume.thinned is not None and volume.thinned.every == every and seen.acquired
    if every is None or thinned:
        return list(range(len(seen.positions)))
    return spread(seen.positions, every)


def _shown(volume: Volume, seen: Turned, index: int, windows: Sequence[Applied]) -> ScanSlice:
    of = int(seen.order[index]) if seen.acquired else 0
    origin, applied = volume.origins[of], windows[of]
    return ScanSlice(
        slice=_picture(volume, seen, index, origin, applied),
        plane=seen.plane,
        index=int(seen.places[index]),
        position=float(seen.positions[index]),
        centre=_triple(seen.centres[index]),
        path=origin.path,
        sop_instance_uid=origin.sop_instance_uid if seen.acquired else "",
        frame=origin.frame if seen.acquired else None,
        window=applied,
    )


def _picture(
    volume: Volume, seen: Turned, index: int, origin: SliceOrigin, applied: Applied
) -> Slice:
    values = seen.voxels[index]
    pixels = greys(values, (applied.low, applied.high))
    if volume.padding is not None:
        low, high = volume.padding
        pixels[(values >= low) & (values <= high)] = 0
    height, width, spacing = _square(pixels.shape, seen.spacing)
    source = _source(volume, origin, seen, index)
    return Slice(np.ascontiguousarray(resize_to(pixels, height, width)), source, spacing)


def mask_views(mask: Volume, plane: Plane | None = None) -> Iterator[NDArray[np.bool_]]:
    """Show the slices of a mask as `views` shows those of its volume: True where it is above 0.

    Parameters
    ----------
    mask : Volume
        On the grid of the volume whose lesions it shows; see `same_grid`.
    plane : str, optional
        That of the slices; the acquired plane of the volume, not of the mask, where that is meant.

    Yields
    ------
    ndarray of bool, shape (height, width)
        In the order of `views`.

    Examples
    --------
    >>> import nibabel, numpy as np
    >>> from tumorscope.scans import read_nifti
    >>> values = np.zeros((4, 3, 2), np.uint8)
    >>> values[0, 0, 1] = 1
    >>> nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 5.0, 1.0])), "mask.nii.gz")
    >>> [mask] = read_nifti("mask.nii.gz")
    >>> [lower, upper] = mask_views(mask, "axial")
    >>> bool(lower.any()), np.argwhere(upper).tolist()  # left and posterior
    (False, [[2, 3]])
    """
    seen = turned(mask, plane)
    for values in seen.voxels:
        inside = np.ascontiguousarray(values > 0).astype(np.uint8)
        height, width, _ = _square(inside.shape, seen.spacing)
        if inside.shape != (height, width):
            inside = cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        yield inside > 0


def same_grid(one: Volume, other: Volume) -> bool:
    """Return whether the slices of two volumes show the same places, however each is stored.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from tumorscope.scans import index_study, read_volumes
    >>> [volume] = read_volumes(index_study(get_testdata_file("MR_small.dcm")).series[0])
    >>> same_grid(volume, volume)
    True
    """
    first, second = turned(one), turned(other, turned(one).plane)
    if first.voxels.shape != second.voxels.shape:
        return False
    near = 0.1 * min(one.spacing)
    same_pixels = np.allclose(first.spacing, second.spacing, rtol=1e-2)
    return bool(same_pixels and np.abs(first.centres - second.centres).max() < near)


def _square(
    shape: tuple[int, ...], spacing: tuple[float, float]
) -> tuple[int, int, tuple[float, float]]:
    """Return height, width and spacing with square pixels; what is square already stays."""
    fine, coarse = min(spacing), max(spacing)
    if coarse - fine <= SQUARE * fine:
        return shape[0], shape[1], spacing
    extent = shape[0] * spacing[0], shape[1] * spacing[1]
    side = max(fine, max(extent) / LARGEST_EDGE)
    height, width = (max(1, round(length / side)) for length in extent)
    return height, width, (extent[0] / height, extent[1] / width)


def _source(volume: Volume, origin: SliceOrigin, seen: Turned, index: int) -> str:
    if seen.acquired and origin.sop_instance_uid:
        return origin.path if origin.frame is None else f"{origin.path}#{origin.frame}"
    number, count = volume.part
    part = f"{number}-" if count > 1 else ""
    return f"{origin.path}#{part}{seen.plane}-{int(seen.places[index]) + 1}"


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
