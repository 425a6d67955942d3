"""One volume → labelled slices: from the area of its lesion on each, which is measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import UsageError
from tumorscope.scans import Plane, ScanSlice, Volume, Window, acquired_plane, mask_views, views
from tumorscope.scans.head import HEAD_AREA, head_area
from tumorscope.scans.spread import spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How volumes are cut.

    Attributes
    ----------
    every : float, optional
        Distance of slices in mm; every slice by default.
    planes : tuple of str
        axial, coronal, sagittal; the acquired plane alone where there are none.
    min_area : float
        In mm²: a slice with a lesion that is smaller is left out.
    window : Window
        How values become greys.
    """

    every: float | None = None
    planes: tuple[Plane, ...] = ()
    min_area: float = 50.0
    window: Window = field(default_factory=Window)


def cutting(
    *, every: float | None, planes: Sequence[Plane], min_area: float, window: Window
) -> Cutting:
    """Return how volumes are cut, if it can be meant.

    Raises
    ------
    UsageError
        If a plane is none, or a number is not above 0.
    """
    if unknown := [plane for plane in planes if plane not in get_args(Plane)]:
        raise UsageError(
            f"Received the plane {unknown[0]!r}; expected axial, coronal or sagittal, or none for "
            "the plane in which each volume was acquired."
        )
    if not (math.isfinite(min_area) and min_area >= 0):
        raise UsageError(
            f"Received {min_area:g} mm² for the least area of a lesion; expected 0 or more, such "
            "as 50."
        )
    if every is not None:
        spread([0.0, 1.0], every)  # which says what is wrong with it
    return Cutting(every=every, planes=tuple(planes), min_area=min_area, window=window)


@dataclass(frozen=True, slots=True)
class Cut:
    """A slice with its label.

    Attributes
    ----------
    scan : ScanSlice
        The picture, and where it lies.
    label : int
        1 tumour, 0 no tumour.
    mask : ndarray of bool, shape (height, width), or None
        The lesion, where there is one.
    area : float
        Of the lesion, in mm².
    """

    scan: ScanSlice
    label: int
    mask: NDArray[np.bool_] | None
    area: float


def cut_volume(
    volume: Volume, mask: Volume | None, how: Cutting, left_out: Counter[str]
) -> Iterator[Cut]:
    """Yield the slices of a volume that have a label.

    Parameters
    ----------
    volume : Volume
        What is cut.
    mask : Volume, optional
        On its grid. Without one, the volume is free of tumours.
    how : Cutting
        Distance, planes and least area.
    left_out : Counter
        Counts slices that are left out: ``small-lesion``, ``no-head``; and ``volume:not-cut``
        for planes along which the volume cannot be cut, since its slices are uneven.
    """
    own = acquired_plane(volume)
    for plane in how.planes or (own,):
        if plane != own and not volume.regular:
            left_out["volume:not-cut"] += 1
            continue
        masks = None if mask is None else enumerate(mask_views(mask, plane))
        for scan in views(volume, plane, window=how.window, every=how.every):
            lesion = None
            if masks is not None:
                lesion = next(shown for index, shown in masks if index == scan.index)
            cut = _labelled(scan, lesion, how.min_area, left_out)
            if cut is not None:
                yield cut


def _labelled(
    scan: ScanSlice, lesion: NDArray[np.bool_] | None, least: float, left_out: Counter[str]
) -> Cut | None:
    spacing = scan.slice.spacing
    assert spacing is not None
    pixel = spacing[0] * spacing[1]
    area = 0.0 if lesion is None else pixel * int(np.count_nonzero(lesion))
    if 0.0 < area < least:
        left_out["small-lesion"] += 1
        return None
    if head_area(scan) < HEAD_AREA:
        left_out["no-head"] += 1
        return None
    return Cut(scan, int(area > 0.0), lesion if area > 0.0 else None, area)
