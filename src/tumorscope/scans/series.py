"""A series: the images that one acquisition or reconstruction made, before any pixel is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tumorscope.scans.frame import Frame


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a study, or one NIfTI file.

    Attributes
    ----------
    kind : str
        ``dicom`` or ``nifti``, which stands for NRRD too.
    path : str
        Of its first file.
    study_uid, series_uid : str
        Empty for NIfTI.
    modality : str
        MR, CT …; empty for NIfTI.
    number : int, optional
        Series number.
    description : str
        Series description, which may hold names: not shown unless asked for.
    frames : tuple of Frame
        Of files with one image.
    multiframe : tuple of str
        Files with several images each; their headers are read with their pixels.
    images : int
        How many 2-D images it holds; 0 for NIfTI, where that is not known yet.
    lost, passed_over : int
        Images of it that cannot be read by their headers, and that are not looked at.
    absent : int
        Files of a concatenation, one object stored as several files, that are not here although
        the others count them.
    """

    kind: Literal["dicom", "nifti"]
    path: str
    study_uid: str = ""
    series_uid: str = ""
    modality: str = ""
    number: int | None = None
    description: str = field(default="", repr=False)
    frames: tuple[Frame, ...] = field(default=(), repr=False)
    multiframe: tuple[str, ...] = field(default=(), repr=False)
    images: int = 0
    lost: int = 0
    passed_over: int = 0
    absent: int = 0
