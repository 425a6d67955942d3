"""One 2-D image of a DICOM file as its header tells it: where it lies, and how it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Stored:
    """How the values of an image are stored.

    Attributes
    ----------
    syntax : str
        Transfer syntax UID.
    allocated, stored, high : int
        Bits of a value in the file, those that count, and the highest of these.
    signed : bool
        Whether values are two's complement.
    """

    syntax: str
    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """Of the values once decoded, in native byte order."""
        return np.dtype(f"{'i' if self.signed else 'u'}{max(1, self.allocated // 8)}")


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How an image was made, as far as the header says; None and empty where it does not.

    Attributes
    ----------
    scanning : str
        Scanning sequence (SE, GR, EP, IR …), several joined by a backslash; or the pulse sequence's
        name.
    contrast : str
        What an enhanced object calls its contrast: T1, T2, FLAIR, DIFFUSION …
    repetition_time, echo_time, inversion_time : float, optional
        In ms.
    b_value : float, optional
        Diffusion weighting in s/mm².
    agent : bool
        Whether the header names a contrast agent.
    """

    scanning: str = ""
    contrast: str = ""
    repetition_time: float | None = None
    echo_time: float | None = None
    inversion_time: float | None = None
    b_value: float | None = None
    agent: bool = False

    @property
    def sequence(self) -> str:
        """FLAIR, DWI, T2, T1c or T1 where the header's words or times leave no doubt, else empty.

        The times: an echo of at least 70 ms after a repetition of at least 2,000 ms is T2, FLAIR
        where an inversion of 1,400 to 3,500 ms came first; an echo of at most 30 ms after a
        repetition of at most 1,200 ms of a spin echo is T1, and so is a gradient echo of at most
        10 ms after an inversion of 500 to 1,300 ms (MPRAGE).
        """
        agent = "T1c" if self.agent else "T1"
        words = {"T1": agent, "T2": "T2", "FLAIR": "FLAIR", "FLUID_ATTENUATED": "FLAIR"}
        words["DIFFUSION"] = "DWI"
        if self.contrast in words:
            return words[self.contrast]
        if self.b_value:
            return "DWI"
        repetition, echo = self.repetition_time or 0.0, self.echo_time or 0.0
        if repetition >= 2000.0 and echo >= 70.0 and "EP" not in self.scanning:
            return "FLAIR" if 1400.0 <= (self.inversion_time or 0.0) <= 3500.0 else "T2"
        if 0.0 < repetition <= 1200.0 and 0.0 < echo <= 30.0 and "SE" in self.scanning:
            return agent
        if {"GR", "IR"} <= set(self.scanning.split("\\")) and 0.0 < echo <= 10.0:
            return agent if 500.0 <= (self.inversion_time or 0.0) <= 1300.0 else ""
        return ""


UNKNOWN = Acquisition()


@dataclass(frozen=True, slots=True)
class Layout:
    """What the images of one volume have in common; files of a series share one object.

    Attributes
    ----------
    rows, columns : int
        Size in pixels.
    spacing : tuple of float
        Distance of rows and of columns, in mm.
    along_row, along_column : tuple of float
        Unit vectors in patient space (left, posterior, superior): where the next column lies, and
        where the next row.
    inverse : bool
        Whether the largest value is black.
    stored : Stored
        How values are stored.
    image_type : tuple of str
        As in the header.
    acquisition : Acquisition
        How it was made.
    between : float
        Distance of slices that the header states, in mm; 0 where it does not.
    padding : tuple of int, optional
        Lowest and highest stored value that stand for no image.
    acquired, listed : int
        How many images the header says that the acquisition made, and that the series has; 0 where
        it does not.
    """

    rows: int
    columns: int
    spacing: tuple[float, float]
    along_row: tuple[float, float, float]
    along_column: tuple[float, float, float]
    inverse: bool
    stored: Stored
    image_type: tuple[str, ...]
    acquisition: Acquisition
    between: float
    padding: tuple[int, int] | None = None
    acquired: int = 0
    listed: int = 0

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the slices, from the cross product of row and column."""
        across = np.cross(self.along_row, self.along_column)
        return np.asarray(across / np.linalg.norm(across), dtype=np.float64)

    def stacks_with(self, other: Layout) -> bool:
        """Return whether images of both may be slices of one volume."""
        if (self.rows, self.columns, self.inverse) != (other.rows, other.columns, other.inverse):
            return False
        # Headers round the same orientation differently from slice to slice: 0.1 degrees.
        ours = np.array([self.along_row, self.along_column])
        theirs = np.array([other.along_row, other.along_column])
        return bool(
            np.allclose(self.spacing, other.spacing, rtol=1e-3, atol=0.0)
            and np.abs(ours - theirs).max() < 2e-3
        )


class Marks(NamedTuple):
    """What may tell images at the same place apart, in the order in which it is tried."""

    stack: str = ""
    image_type: tuple[str, ...] = ()
    echo: float | None = None
    b_value: float | None = None
    inversion: float | None = None
    temporal: int | None = None
    acquisition: int | None = None
    trigger: float | None = None
    time: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One 2-D image of a DICOM file.

    Attributes
    ----------
    path : str
        The file.
    uid : str
        SOP Instance UID.
    number : int, optional
        Frame of a multi-frame file, from 1; None for a file of one image.
    layout : Layout
        What it has in common with others.
    position : tuple of float, optional
        Centre of its first pixel in patient space, in mm; None where the header has none.
    instance : int, optional
        Instance number, or the place of the frame in its file.
    marks : Marks
        What may tell it from others at the same place.
    slope, intercept : float
        Stored value → value.
    table : bool
        Whether a modality look-up table takes the place of slope and intercept.
    window : tuple of float, optional
        Lowest and highest value of the header's window, before any inversion.
    offset : int, optional
        Where its uncompressed values begin in the file; None where they must be decoded.
    """

    path: str
    uid: str
    number: int | None
    layout: Layout
    position: tuple[float, float, float] | None
    instance: int | None
    marks: Marks
    slope: float = 1.0
    intercept: float = 0.0
    table: bool = False
    window: tuple[float, float] | None = None
    offset: int | None = None
