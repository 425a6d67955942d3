"""What was not read of scans, and why: a code, which becomes a sentence where it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tumorscope.common.names import printable
from tumorscope.common.words import counted

NotReadReason = Literal[
    "cannot-open",
    "damaged",
    "transfer-syntax",
    "geometry",
    "too-large",
    "modality",
    "localizer",
    "mosaic",
    "derived",
    "phase",
    "colour",
    "secondary-capture",
    "segmentation",
    "no-pixels",
    "duplicate",
    "repeat",
    "directory",
    "linked-folder",
    "not-dicom",
    "hidden",
]
"""Why something is not read; the worst, what a person may have meant to use, first."""

UNREADABLE = ("cannot-open", "damaged", "transfer-syntax", "geometry", "too-large")
"""Reasons for which something counts as unreadable, and not as passed over."""

REASONS: Mapping[NotReadReason, tuple[str, str]] = {
    "cannot-open": ("it cannot be opened", "Check that it is there and that you may read it"),
    "damaged": ("it is damaged or cut short", "Copy it again from where it came from"),
    "transfer-syntax": (
        "its pixels are compressed in a way that no library here decodes",
        "Let the archive or dcmtk (dcmdjpeg) decompress it",
    ),
    "geometry": ("its header does not say where its slices lie", "Export it again as DICOM"),
    "too-large": ("it is larger than what is decoded", "Check that it is a scan at all"),
    "modality": ("it is no MR image", "Only MR is looked at"),
    "localizer": ("it is a localizer", ""),
    "mosaic": (
        "it is a mosaic: many slices as tiles of one picture",
        "dcm2niix makes NIfTI of it",
    ),
    "derived": ("it is computed from other images (a map or a projection)", ""),
    "phase": ("it shows phase, real or imaginary parts, not magnitudes", ""),
    "colour": ("it is in colour", ""),
    "secondary-capture": ("it is a secondary capture: a picture of a screen or a document", ""),
    "segmentation": ("it is a segmentation", ""),
    "no-pixels": ("it holds no image", ""),
    "duplicate": ("it is a copy of another file of the series", ""),
    "repeat": ("it repeats an earlier volume of its series at other times or in directions", ""),
    "directory": ("it is a DICOMDIR; the files that it lists are read as they lie", ""),
    "linked-folder": ("it is a link to a folder; links are not followed, so that loops end", ""),
    "not-dicom": ("it is no DICOM, NIfTI or NRRD file", ""),
    "hidden": ("it is hidden, or what a system leaves", ""),
}
"""Reason → what is so, and what a person can do about it."""


@dataclass(frozen=True, slots=True)
class NotRead:
    """Something that was not read: a file, a part of a series, or a series.

    Attributes
    ----------
    reason : str
        One of `REASONS`.
    path : str
        The file, or the first of them.
    detail : str
        What else is known of it, as a clause: which transfer syntax, how large.
    images : int
        How many images this is about; a multi-frame file counts each frame, what holds no image
        counts 1.
    study_uid, series_uid : str
        Of DICOM that could be read so far; else empty.

    Examples
    --------
    >>> NotRead("localizer", "a.dcm", images=3).sentence()
    'a.dcm and 2 others: it is a localizer.'
    """

    reason: NotReadReason
    path: str
    detail: str = ""
    images: int = 1
    study_uid: str = ""
    series_uid: str = ""

    @property
    def unreadable(self) -> bool:
        """Whether a person may have meant to use it, so that it counts as unreadable."""
        return self.reason in UNREADABLE

    def sentence(self) -> str:
        """Return this for people: which, why, and what to do."""
        why, advice = REASONS[self.reason]
        others = f" and {counted(self.images - 1, 'other')}" if self.images > 1 else ""
        detail = f" ({printable(self.detail)})" if self.detail else ""
        return f"{printable(self.path)}{others}: {why}{detail}." + (f" {advice}." if advice else "")


Uids = tuple[str, str, str]
"""Of study, series and instance; empty where they are not known."""


class NotReadError(Exception):
    """Raised inside this room where something turns out not to be readable.

    Parameters
    ----------
    reason : str
        One of `REASONS`.
    detail : str
        See `NotRead`.
    uids : tuple of str
        Of study, series and instance, where the header could be read, but whoever catches this has
        not got it.
    """

    def __init__(self, reason: NotReadReason, detail: str = "", uids: Uids = ("", "", "")) -> None:
        super().__init__(reason, detail)
        self.reason: NotReadReason = reason
        self.detail = detail
        self.uids = uids
