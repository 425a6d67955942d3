"""A series → its volumes, decoded one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.dicom_file import need
from tumorscope.scans.ends import with_ends
from tumorscope.scans.frame import Frame
from tumorscope.scans.functional_groups import frames_of
from tumorscope.scans.in_flight import NO_MEMORY, bytes_of_stack, room_for
from tumorscope.scans.limits import MAX_VOXELS, kept_as
from tumorscope.scans.localizer import UNMARKED, is_localizer
from tumorscope.scans.nifti import volumes_of_file
from tumorscope.scans.not_read import NotRead, NotReadError
from tumorscope.scans.pixels import PixelReader
from tumorscope.scans.planes import Plane
from tumorscope.scans.remark import Remark
from tumorscope.scans.selection import Ends
from tumorscope.scans.series import Series
from tumorscope.scans.stack import Stack, stacks_of
from tumorscope.scans.thinning import thinned_stack, thinned_volume
from tumorscope.scans.volume import Thinned, Volume


def read_volumes(
    series: Series, *, every: float | None = None, plane: Plane | None = None
) -> Iterator[Volume | NotRead]:
    """Read the volumes of a series, one after the other.

    Images at the same place are parted into volumes by what tells them apart: stack, image type,
    echo time, b-value, inversion, temporal position, acquisition, trigger or acquisition time;
    else by the order of their instance numbers, and a remark says so. Slices are sorted by where
    they lie along the normal. Values are after the rescale of each frame, black lowest.

    Parameters
    ----------
    series : Series
        Of `index_study`.
    every : float, optional
        Only slices so many mm apart are decoded, see `tumorscope.scans.spread.spread`.
    plane : str, optional
        In which the volume will be looked at, where `every` is given: across the acquired slices
        all are needed.

    Yields
    ------
    Volume or NotRead
        Each volume of the series, or why it, or some of its images, are not read.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from tumorscope.scans import index_study
    >>> study = index_study(get_testdata_file("MR_small.dcm"))
    >>> [volume] = read_volumes(study.series[0])
    >>> volume.voxels.shape, volume.voxels.dtype, volume.origins[0].position
    ((1, 64, 64), dtype('int16'), (-83.9063, -91.2, 6.6406))
    >>> volume.remarks[0].code, volume.acquisition.sequence
    ('derived', 'T2')
    """
    need("read DICOM and NIfTI")
    if series.kind == "nifti":
        for found in _of_nifti(series):
            yield thinned_volume(found, every, plane) if isinstance(found, Volume) else found
        return
    frames = list(series.frames)
    for path in series.multiframe:
        more, left_out = _multiframe(series, path)
        frames += more
        yield from left_out
    if not frames:
        return
    if series.multiframe and is_localizer(frames):
        yield _not_read(series, NotReadError("localizer", UNMARKED), frames)
        return
    yield from _of_frames(series, frames, every, plane)


def _of_frames(
    series: Series, frames: Sequence[Frame], every: float | None, plane: Plane | None
) -> Iterator[Volume | NotRead]:
    """Yield the volumes that images make; each counts in the budget until the next is asked for."""
    try:
        stacks = with_ends(stacks_of(frames), series)
    except NotReadError as error:
        yield _not_read(series, error, frames)
        return
    for index, stack in enumerate(stacks):
        left, thinned = thinned_stack(stack, every, plane)
        try:
            _check_size(left)
            with room_for(bytes_of_stack(left)):
                yield _volume(series, left, (index + 1, len(stacks)), thinned)
        except NotReadError as error:
            yield _not_read(series, error, left.frames)
        except MemoryError:
            yield _not_read(series, NotReadError("too-large", NO_MEMORY), left.frames)


def _of_nifti(series: Series) -> Iterator[Volume | NotRead]:
    try:
        yield from volumes_of_file(series.path)
    except NotReadError as error:
        yield NotRead(error.reason, series.path, error.detail)
    except MemoryError:
        yield NotRead("too-large", series.path, NO_MEMORY)


def _multiframe(series: Series, path: str) -> tuple[list[Frame], list[NotRead]]:
    """Return the frames of a file, and what is not read of it: one record for each reason."""
    identity = (series.study_uid, series.series_uid)
    try:
        found = frames_of(path)
    except NotReadError as error:
        return [], [NotRead(error.reason, path, error.detail, 1, *identity)]
    counts: dict[tuple[str, str], int] = {}
    errors: dict[tuple[str, str], NotReadError] = {}
    for one in found:
        if isinstance(one, NotReadError):
            key = (one.reason, one.detail)
            counts[key] = counts.get(key, 0) + 1
            errors[key] = one
    left_out = [
        NotRead(error.reason, path, error.detail, counts[key], *identity)
        for key, error in errors.items()
    ]
    return [one for one in found if isinstance(one, Frame)], left_out


def _check_size(stack: Stack) -> None:
    layout = stack.frames[0].layout
    if len(stack.frames) * layout.rows * layout.columns > MAX_VOXELS:
        large = f"{len(stack.frames)} slices of {layout.rows} × {layout.columns}"
        raise NotReadError("too-large", large)


def _volume(
    series: Series, stack: Stack, part: tuple[int, int], thinned: Thinned | None
) -> Volume | NotRead:
    layout = stack.frames[0].layout
    voxels, kept, left_out = _decoded(series, stack)
    if voxels is None:
        return left_out[0] if len(left_out) == 1 else _summed(left_out)
    remarks = [*stack.remarks]
    regular = stack.regular
    if left_out:
        lost = len(stack.frames) - len(kept)
        remarks.append(Remark("gap", f"{lost} of {len(stack.frames)} slices cannot be read"))
        regular = False
    if layout.image_type[:1] == ("DERIVED",):
        remarks.append(Remark("derived", "\\".join(layout.image_type)))
    frames = [stack.frames[index] for index in kept]
    voxels, windows, padding = _black_lowest(voxels, frames)
    affine = stack.affine
    affine[:3, 3] = stack.corners[kept[0]]
    if len(kept) > 1 and not regular:
        affine[:3, 0] = (stack.corners[kept[-1]] - stack.corners[kept[0]]) / (len(kept) - 1)
    places = stack.origins
    origins = tuple(
        replace(places[index], window=window) for index, window in zip(kept, windows, strict=True)
    )
    return Volume(
        voxels=voxels,
        affine=affine,
        positions=stack.positions[kept],
        regular=regular,
        origins=origins,
        path=(origins if thinned is None else thinned.origins)[0].path,
        study_uid=series.study_uid,
        series_uid=series.series_uid,
        modality=series.modality,
        acquisition=layout.acquisition,
        padding=padding,
        part=part,
        remarks=tuple(remarks),
        not_read=tuple(left_out),
        cut_off=stack.cut_off,
        thinned=None if thinned is None else thinned.keeping(kept),
    )


def _decoded(
    series: Series, stack: Stack
) -> tuple[NDArray[np.generic] | None, list[int], list[NotRead]]:
    """Return the voxels, which slices they are, and those that cannot be decoded."""
    reader = PixelReader()
    layout = stack.frames[0].layout
    voxels: NDArray[np.generic] | None = None
    kept: list[int] = []
    left_out: list[NotRead] = []
    for index, frame in enumerate(stack.frames):
        try:
            values = reader.values(frame)
        except NotReadError as error:
            left_out.append(_not_read(series, error, [frame]))
            continue
        shape = (len(stack.frames), layout.rows, layout.columns)
        if voxels is None:
            voxels = np.empty(shape, dtype=kept_as(values.dtype, math.prod(shape)))
        wider = kept_as(np.promote_types(voxels.dtype, values.dtype), math.prod(shape))
        if wider != voxels.dtype:
            voxels = voxels.astype(wider)
        voxels[len(kept)] = values
        kept.append(index)
    return (None if voxels is None else voxels[: len(kept)]), kept, left_out


def _black_lowest(
    voxels: NDArray[np.generic], frames: Sequence[Frame]
) -> tuple[NDArray[np.generic], list[Ends | None], Ends | None]:
    """Invert values, windows and padding where the largest is black, around what is there, once."""
    windows, padding = [frame.window for frame in frames], _padding(frames)
    if not frames[0].layout.inverse:
        return voxels, windows, padding
    if voxels.dtype.kind == "f":
        total = float(voxels.min()) + float(voxels.max())
        np.subtract(total, voxels, out=voxels)
    else:
        total = int(voxels.min()) + int(voxels.max())
        for plane in voxels:
            plane[...] = total - plane.astype(np.int64)
    flipped = [None if pair is None else (total - pair[1], total - pair[0]) for pair in windows]
    return voxels, flipped, None if padding is None else (total - padding[1], total - padding[0])


def _padding(frames: Sequence[Frame]) -> Ends | None:
    """Return what stands for no image, after the rescale, where all slices agree on it."""
    found = set()
    for frame in frames:
        ends = frame.layout.padding
        if ends is None or frame.table:
            return None
        low, high = (end * frame.slope + frame.intercept for end in ends)
        found.add((min(low, high), max(low, high)))
    return found.pop() if len(found) == 1 else None


def _not_read(series: Series, error: NotReadError, frames: Sequence[Frame]) -> NotRead:
    identity = (series.study_uid, series.series_uid)
    return NotRead(error.reason, frames[0].path, error.detail, len(frames), *identity)


def _summed(records: Sequence[NotRead]) -> NotRead:
    """Return one record for a volume of which no slice can be read: its first reason counts."""
    first = records[0]
    identity = (first.study_uid, first.series_uid)
    images = sum(record.images for record in records)
    return NotRead(first.reason, first.path, first.detail, images, *identity)
