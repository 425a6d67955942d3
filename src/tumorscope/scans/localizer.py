"""Localizers that do not say so: a few slices in each of several planes across each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.frame import Frame

UNMARKED = "its images lie in planes across each other"

FEW = 20
"""A localizer has at most so many slices in each plane."""

ALIKE = 4
"""The fullest plane has at most so many times as many as the next: one picture that shows where the
slices of a stack lie makes no localizer of it."""

ACROSS = 0.7
"""Planes whose normals' cosine is below this lie across each other."""


def is_localizer(frames: Sequence[Frame]) -> bool:
    """Return whether images of a series lie in planes across each other, a few in each.

    Vendors mark localizers in their own words or not at all; no other series has three planes.
    """
    planes: list[list[int]] = []
    normals: list[NDArray[np.float64]] = []
    place: dict[int, int] = {}
    for frame in frames:
        index = place.get(id(frame.layout))
        if index is None:
            normal = frame.layout.normal
            near = (i for i, other in enumerate(normals) if abs(float(normal @ other)) > 0.99)
            index = next(near, len(normals))
            place[id(frame.layout)] = index
            if index == len(normals):
                normals.append(normal)
                planes.append([])
        planes[index].append(1)
    across = any(
        abs(float(one @ other)) < ACROSS
        for position, one in enumerate(normals)
        for other in normals[:position]
    )
    *_, second, most = sorted([0, 0, *map(len, planes)])
    return across and most <= FEW and ALIKE * second >= most
