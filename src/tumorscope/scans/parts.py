"""Which volumes of a series are looked at: not each time point of a series of hundreds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.not_read import NotRead
from tumorscope.scans.planes import Plane
from tumorscope.scans.read import read_volumes
from tumorscope.scans.series import Series
from tumorscope.scans.volume import Volume

MOST_PARTS = 8
"""A series with more volumes at the same place shows one thing over and over, or in directions."""

MOST_LABELS = 8
"""A volume with so few different values shows labels, not tissue."""


def distinct_volumes(
    series: Series, *, every: float | None = None, plane: Plane | None = None
) -> Iterator[Volume | NotRead]:
    """Read the volumes of a series that show something of their own.

    Masks and label maps, which hold hardly any different values, are left out. Of a series with
    more than `MOST_PARTS` volumes at the same place (time points, directions of diffusion) that is
    the first; of others, such as two echoes or four sequences, each.

    Parameters
    ----------
    series : Series
        Of `index_study`.
    every, plane
        See `read_volumes`.

    Yields
    ------
    Volume or NotRead
        As of `read_volumes`; what is left out as one record with the reason ``repeat``.
    """
    for found in read_volumes(series, every=every, plane=plane):
        if isinstance(found, Volume) and (values := _labels(found)):
            what = f"its voxels have {values} different values"
            identity = (found.study_uid, found.series_uid)
            yield NotRead("segmentation", found.path, what, len(found.origins), *identity)
            continue
        yield found
        if isinstance(found, Volume) and found.part[1] > MOST_PARTS:
            others = found.part[1] - found.part[0]
            if others:
                what = f"volumes {found.part[0] + 1} to {found.part[1]} of {found.part[1]}"
                identity = (found.study_uid, found.series_uid)
                images = others * len(found.origins)
                yield NotRead("repeat", found.path, what, images, *identity)
            return


def _labels(volume: Volume) -> int:
    """Return how many different values a map of labels has; 0 for what is none."""
    values: NDArray[np.generic] = np.empty(0, volume.voxels.dtype)
    for plane in volume.voxels:
        values = np.union1d(values, plane)
        if len(values) > MOST_LABELS:
            return 0
    whole = bool((values == np.rint(values)).all())
    return len(values) if whole and len(values) > 1 else 0
