"""How much memory a volume takes while it is read and looked at, and its part of the budget."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tumorscope.common.memory import IMAGES, TooLargeError
from tumorscope.scans.limits import kept_as
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.stack import Stack

NO_MEMORY = "the memory does not suffice"
"""Detail of ``too-large`` where the machine has less than the budget."""


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Count a volume of so many bytes among what is in flight, for as long as the block lasts.

    Raises
    ------
    NotReadError
        If that is more than the budget, before anything is decoded.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(IMAGES.one_volume(size))
        except TooLargeError as error:
            raise NotReadError(
                "too-large", f"it needs {error}; --image-memory allows more"
            ) from None
        yield


def bytes_of_grid(shape: tuple[int, ...], kept: np.dtype[np.generic]) -> int:
    """Return the memory that a grid of values takes: all of it, and a third where it is thinned.

    Parameters
    ----------
    shape : tuple of int
        Columns, rows and slices.
    kept : dtype
        Of the values once they are read.
    """
    values = math.prod(shape) * kept.itemsize
    return values + values // 3


def bytes_of_stack(stack: Stack) -> int:
    """Return the memory that a stack of images takes, of which nothing is decoded yet.

    Measured and rounded up: values take what they are kept as and a tenth of it beside, a third
    more for those that become wider in the middle of a stack, and compressed files are held whole.
    """
    layout = stack.frames[0].layout
    plane = layout.rows * layout.columns
    size = max(frame.layout.stored.allocated for frame in stack.frames) // 8
    plain = [
        not frame.table and (frame.slope, frame.intercept) == (1.0, 0.0) for frame in stack.frames
    ]
    wide = np.dtype(f"u{size}") if all(plain) else np.dtype(np.float64 if size > 2 else np.float32)
    voxels = len(stack.frames) * plane
    values = kept_as(wide, voxels).itemsize * voxels
    before = size * voxels if any(plain) and not all(plain) else 0
    return values + values // 10 + before + _beside(stack, plane * size)


def _beside(stack: Stack, plane: int) -> int:
    """Return what decoders hold of the largest compressed file: itself, and all its frames."""
    frames: dict[str, int] = {}
    for frame in stack.frames:
        if frame.offset is None:
            frames[frame.path] = max(frames.get(frame.path, 1), frame.number or 1)
    sizes = []
    for path, count in frames.items():
        with contextlib.suppress(OSError):  # said where it is read
            sizes.append(Path(path).stat().st_size + count * plane)
    return max(sizes, default=0)
