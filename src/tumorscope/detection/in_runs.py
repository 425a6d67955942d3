"""Images of a stream → those that one run of an engine takes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from tumorscope.detection.engines import Engine

T = TypeVar("T")

FEW = 32
"""So many images have runs of their own, so that near the end of few no worker is without one."""


def in_runs(images: Iterator[T], batch: int | None, engine: Engine) -> Iterator[list[T]]:
    """Yield the images of each run, consuming them lazily.

    Parameters
    ----------
    images : iterator
        Of any length.
    batch : int, optional
        How many a run takes; by default one and, after the first `FEW`, as many as the engine says
        that change no number.
    engine : Engine
        Which is not asked where there are but few.
    """
    for number, image in enumerate(images, 1) if batch is None else ():
        yield [image]
        if number == FEW:
            batch = engine.at_once
            break
    while batch and (run := list(islice(images, batch))):
        yield run
