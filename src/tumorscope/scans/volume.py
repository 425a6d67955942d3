"""The noun of this room: one volume in patient space, and where each of its slices came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.frame import UNKNOWN, Acquisition
from tumorscope.scans.not_read import NotRead
from tumorscope.scans.remark import Remark


@dataclass(frozen=True, slots=True)
class SliceOrigin:
    """Where a slice of a volume came from.

    Attributes
    ----------
    path : str
        The file.
    sop_instance_uid : str
        As in the file; empty for NIfTI.
    frame : int, optional
        Of a multi-frame file, from 1; None for a file of one image and for NIfTI.
    position : tuple of float
        Centre of its first pixel in patient space (left, posterior, superior), in mm.
    window : tuple of float, optional
        Lowest and highest value of the window that the header states, in values of `Volume`.
    """

    path: str
    sop_instance_uid: str
    frame: int | None
    position: tuple[float, float, float]
    window: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Thinned:
    """Which slices of a stack are left.

    Attributes
    ----------
    every : float
        Distance in mm that was asked for.
    places : tuple of int
        Of each slice that is left, among all of the stack, from 0.
    origins : tuple of SliceOrigin
        Of all slices of the stack.
    """

    every: float
    places: tuple[int, ...]
    origins: tuple[SliceOrigin, ...] = field(repr=False)

    @property
    def total(self) -> int:
        """Slices of the stack."""
        return len(self.origins)

    def keeping(self, left: Sequence[int]) -> Thinned:
        """Return the same for some of these slices, as others could not be read."""
        return replace(self, places=tuple(self.places[index] for index in left))


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A stack of parallel slices in patient space.

    Attributes
    ----------
    voxels : ndarray, shape (slices, rows, columns)
        Values in native byte order, black lowest: integers as stored where no rescale applies,
        else float32 (float64 where 32 bits are stored). All are finite.
    affine : ndarray of float64, shape (4, 4)
        (slice, row, column, 1) → (left, posterior, superior, 1) in mm; exact for a regular stack,
        the mean step where `regular` is False.
    positions : ndarray of float64, shape (slices,)
        Of each slice along the normal, in mm, ascending.
    regular : bool
        Whether slices lie at even distances, and straight above each other; only such volumes are
        cut along other planes.
    origins : tuple of SliceOrigin
        One for each slice.
    path : str
        Of the first file.
    study_uid, series_uid, modality : str
        Of DICOM; else empty.
    acquisition : Acquisition
        How it was made, as far as the header says.
    padding : tuple of float, optional
        Lowest and highest value that stand for no image; pictures show them black.
    part : tuple of int
        Which volume of its series this is, from 1, and how many there are; (1, 1) mostly.
    remarks : tuple of Remark
        What is worth knowing.
    not_read : tuple of NotRead
        Slices of it that could not be read.
    cut_off : float
        How many mm are missing at its ends, as far as the headers tell.
    thinned : Thinned, optional
        Which slices these are, where others were left out before they were decoded.
    """

    voxels: NDArray[np.generic] = field(repr=False)
    affine: NDArray[np.float64] = field(repr=False)
    positions: NDArray[np.float64] = field(repr=False)
    regular: bool
    origins: tuple[SliceOrigin, ...] = field(repr=False)
    path: str
    study_uid: str = ""
    series_uid: str = ""
    modality: str = ""
    acquisition: Acquisition = UNKNOWN
    padding: tuple[float, float] | None = None
    part: tuple[int, int] = (1, 1)
    remarks: tuple[Remark, ...] = ()
    not_read: tuple[NotRead, ...] = ()
    cut_off: float = 0.0
    thinned: Thinned | None = None

    @property
    def stack_origins(self) -> tuple[SliceOrigin, ...]:
        """Where all slices of the stack came from, also those that were left out."""
        return self.origins if self.thinned is None else self.thinned.origins

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of slices, rows and columns, in mm."""
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)
