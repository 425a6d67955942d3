"""Which volumes of a series are looked at: not each time point of a series of hundreds."""

from __future__ import annotations

from collections.abc import Iterator

from tumorscope.scans.not_read import NotRead
from tumorscope.scans.read import read_volumes
from tumorscope.scans.series import Series
from tumorscope.scans.volume import Volume

MOST_PARTS = 8
"""A series with more volumes at the same place shows one thing over and over, or in directions."""


def distinct_volumes(series: Series) -> Iterator[Volume | NotRead]:
    """Read the volumes of a series that show something of their own.

    Of a series with more than `MOST_PARTS` volumes at the same place (time points, directions of
    diffusion) that is the first; of others, such as two echoes or four sequences, each.

    Parameters
    ----------
    series : Series
        Of `index_study`.

    Yields
    ------
    Volume or NotRead
        As of `read_volumes`; what is left out as one record with the reason ``repeat``.
    """
    for found in read_volumes(series):
        yield found
        if isinstance(found, Volume) and found.part[1] > MOST_PARTS:
            others = found.part[1] - found.part[0]
            if others:
                what = f"volumes {found.part[0] + 1} to {found.part[1]} of {found.part[1]}"
                identity = (found.study_uid, found.series_uid)
                images = others * len(found.origins)
                yield NotRead("repeat", found.path, what, images, *identity)
            return
