"""A DICOM segmentation → the mask of a volume: which of its voxels lie in the segments.

A frame lies where its header says, whichever way its rows run; the images that it names say whether
the volume is meant. Frames without pixels of a segment are mostly left out of such files, so what
has no frame is outside of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans import facts
from tumorscope.scans.dicom_file import open_header
from tumorscope.scans.functional_groups import Group, group_of
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.on_grid import Plate, voxels_of
from tumorscope.scans.recognise import LABEL_MAP
from tumorscope.scans.segment_pixels import SegmentPixels
from tumorscope.scans.segmentation import Image, Segmentation, sources_of
from tumorscope.scans.values import item, items, text, whole
from tumorscope.scans.volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset


def mask_on(segmentation: Segmentation, volume: Volume, numbers: Collection[int]) -> Volume | None:
    """Return the mask of a volume: 1 where it lies in one of the segments, else 0.

    Of probabilities and of shares of a voxel, at least half of the largest counts.

    Parameters
    ----------
    segmentation : Segmentation
        Of `read_segmentation`.
    volume : Volume
        Of `read_volumes`.
    numbers : collection of int
        Of the segments.

    Returns
    -------
    Volume or None
        On the grid of the volume; None where other images were segmented than its.

    Raises
    ------
    NotReadError
        With the reason ``geometry`` where frames lie between the voxels of the volume or beside
        them, or elsewhere than the image that they name; else if it is damaged.
    """
    own: defaultdict[Image, set[int]] = defaultdict(set)
    for index, origin in enumerate(volume.origins):
        for frame in (origin.frame, None):  # where no frame is named, all are meant
            own[origin.sop_instance_uid, frame].add(index)
    if segmentation.images and not segmentation.images & {uid for uid, _ in own}:
        return None
    opened = open_header(segmentation.path)
    dataset = opened.dataset
    size = facts.size_of(dataset)
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    labels = text(dataset, "SOPClassUID") == LABEL_MAP
    voxels = np.zeros(volume.voxels.shape, np.uint8)
    pixels = SegmentPixels(segmentation.path, opened)
    for number, frame in enumerate(items(dataset, "PerFrameFunctionalGroupsSequence")):
        sources = sources_of(frame, shared)
        meant = {place for source in sources if source in own for place in own[source]}
        if (sources and not meant) or not (labels or _segment(frame, shared) in numbers):
            continue
        inside = pixels.inside(number, numbers if labels else None)
        if inside.any():
            places = _places(group_of(frame, shared), size, volume, meant)
            voxels[tuple(axis[inside] for axis in places)] = 1
    return replace(volume, voxels=voxels, padding=None)


def _segment(frame: Dataset, shared: Dataset | None) -> int | None:
    group = group_of(frame, shared)("SegmentIdentificationSequence")
    return whole(group, "ReferencedSegmentNumber")


def _places(
    group: Group, size: tuple[int, int], volume: Volume, meant: set[int]
) -> tuple[NDArray[np.intp], ...]:
    """Return for each pixel of a frame which voxel of a volume it is: slice, row and column."""
    corner = facts.position_of(group("PlanePositionSequence"))
    if corner is None:
        if len(meant) != 1 or size != volume.voxels.shape[1:]:
            raise NotReadError("geometry", "a frame of it does not say where it lies")
        rows, columns = np.indices(size)
        return np.full(size, meant.pop()), rows, columns
    along_row, along_column = facts.orientation_of(group("PlaneOrientationSequence"))
    spacing = facts.spacing_of(group("PixelMeasuresSequence"))
    steps = np.array(along_column) * spacing[0], np.array(along_row) * spacing[1]
    places = voxels_of(volume, Plate(np.array(corner), *steps, *size))
    if places is None:
        raise NotReadError("geometry", "a frame of it lies between the voxels, or beside them")
    if meant and not meant & {*places[0].ravel().tolist()}:
        raise NotReadError("geometry", "a frame of it lies elsewhere than the image that it names")
    return places
