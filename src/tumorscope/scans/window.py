"""Which values become black and which white: by percentiles, by the header, or as one asks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import UsageError
from tumorscope.scans.selection import planes_of, values_of_ranks
from tumorscope.scans.volume import Volume

TAIL = 0.001
"""Share of a volume's values at either end that the percentile window cuts off: the same as of
raster files with more than 8 bits, see `tumorscope.imaging.deep`."""


WIDEST = 1e30
"""No window goes further from 0: single precision must hold it."""

Kind = Literal["percentile", "dicom", "range"]


class Applied(NamedTuple):
    """The window by which a slice became a picture, in values of its volume.

    Attributes
    ----------
    kind : str
        Where it comes from: ``percentile`` also where the header's was asked for and states none.
    low, high : float
        What became black and white.
    """

    kind: Kind
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Window:
    """How values become greys from 0 to 255.

    Attributes
    ----------
    kind : str
        ``percentile``: from the 0.1st to the 99.9th percentile of the whole volume; ``dicom``: as
        the header of each slice states; ``range``: from `low` to `high`.
    low, high : float
        Of ``range``.

    Examples
    --------
    >>> Window.parse("dicom")
    Window(kind='dicom', low=0.0, high=0.0)
    >>> str(Window.parse("-20,180"))
    '-20,180'
    """

    kind: Kind = "percentile"
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Window:
        """Return the window that is written ``percentile``, ``dicom`` or ``LOW,HIGH``.

        Raises
        ------
        UsageError
            If it is written otherwise, or LOW is not below HIGH.
        """
        if text == "percentile":
            return cls("percentile")
        if text == "dicom":
            return cls("dicom")
        try:
            low, high = (float(part) for part in text.split(","))
        except ValueError:
            low = high = math.nan
        if not -WIDEST <= low < high <= WIDEST:
            raise UsageError(
                f"Received {text!r} for a window; expected “percentile”, “dicom” or two numbers "
                "LOW,HIGH with LOW below HIGH, in the values of the scan. Take “percentile” where "
                "you do not know them."
            )
        return cls("range", low, high)

    def __str__(self) -> str:
        return f"{self.low:g},{self.high:g}" if self.kind == "range" else self.kind


def windows_of(volume: Volume, window: Window) -> list[Applied]:
    """Return the window of each slice of a volume, as it applies.

    What the header does not state for a slice is taken from the volume's percentiles, and says so.
    """
    if window.kind == "range":
        return [Applied("range", window.low, window.high)] * len(volume.origins)
    stated = [origin.window if window.kind == "dicom" else None for origin in volume.origins]
    own = (0.0, 0.0)
    if None in stated:
        own = percentiles(volume.voxels, volume.padding)
    return [
        Applied("percentile", *own) if pair is None else Applied("dicom", *pair) for pair in stated
    ]


def middle_of(windows: Sequence[Applied]) -> Applied:
    """Return one window for slices across those that have these: the median of either end."""
    low, high = (
        float(np.median(ends)) for ends in zip(*(each[1:] for each in windows), strict=True)
    )
    same = {each.kind for each in windows} == {windows[0].kind}
    return Applied(windows[0].kind if same else "percentile", low, high)


def percentiles(
    voxels: NDArray[np.generic], padding: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Return the values between which all but 0.1 % at either end lie; at least one is left out.

    The whole range where nothing would remain. The order of the voxels does not matter, and what is
    padding does not count.
    """
    count = voxels.size if padding is None else sum(map(len, planes_of(voxels, padding)))
    if not count:
        padding, count = None, voxels.size
    ends = math.ceil(TAIL * (count - 1)), math.floor((1.0 - TAIL) * (count - 1))
    if ends[0] < ends[1]:
        low, high = values_of_ranks(voxels, ends, padding)
        if low < high:
            return low, high
    low, high = values_of_ranks(voxels, (0, count - 1), padding)
    return low, high


def greys(values: NDArray[np.generic], window: tuple[float, float]) -> NDArray[np.uint8]:
    """Map values to 0–255: what is at most `low` is black, what is at least `high` white.

    Examples
    --------
    >>> import numpy as np
    >>> greys(np.array([0, 100, 150, 300], np.int16), (100.0, 200.0))
    array([  0,   0, 128, 255], dtype=uint8)
    """
    low, high = window
    # Integers of 32 bits and more lose their last digits in float32.
    wide = values.dtype.itemsize > (4 if values.dtype.kind == "f" else 2)
    work: NDArray[np.floating] = values.astype(np.float64 if wide else np.float32)
    work -= low
    work *= 255.0 / (high - low) if high > low else 0.0
    np.clip(work, 0.0, 255.0, out=work)
    grey: NDArray[np.uint8] = np.rint(work, out=work).astype(np.uint8)
    return grey
