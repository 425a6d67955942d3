"""Images of a stream → those that one thread takes at a time, and how many of them a run takes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from tumorscope.detection.engines import Engine

T = TypeVar("T")

FEW = 32
"""So many images are taken one by one, so that near the end of few no thread is without one."""

TOGETHER = 4
"""So many are taken at a time afterwards: to read several before the first of them is run saves a
twentieth of the time, because a run empties the caches of what reads images. With 8 it is as much,
and more of them are in memory."""


def in_runs(
    images: Iterator[T], batch: int | None, engine: Engine
) -> Iterator[tuple[list[T], int]]:
    """Yield the images that one thread takes at a time, and how many of them each run takes.

    Parameters
    ----------
    images : iterator
        Of any length, consumed lazily.
    batch : int, optional
        How many a run takes; by default one and, after the first `FEW` images, as many as the
        engine says that change no number.
    engine : Engine
        Which is not asked where there are but few.
    """
    if batch is None:
        for image in islice(images, FEW):
            yield [image], 1
    while taken := list(islice(images, batch or TOGETHER)):
        yield taken, batch or engine.at_once
