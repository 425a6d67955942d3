"""The header of a DICOM segmentation: what was segmented, and into what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tumorscope.scans.dicom_file import open_header
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.values import item, items, text, whole
from tumorscope.scans.values import numbers as numbers_in

if TYPE_CHECKING:
    from pydicom import Dataset

Image = tuple[str, int | None]
"""SOP Instance UID, and the frame in a multi-frame file."""


class Segment(NamedTuple):
    """One of the things that a segmentation outlines.

    Attributes
    ----------
    label : str
        In somebody's own words, which may hold names.
    kind : str
        What it shows, as a code's meaning.
    """

    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What a segmentation says of itself.

    Attributes
    ----------
    path : str
        The file.
    study_uid, frame_of_reference : str
        Empty where the header has none.
    series : frozenset of str
        Series Instance UIDs of what was segmented; none where the header does not name them.
    images : frozenset of str
        SOP Instance UIDs of it, likewise.
    segments : mapping of int to Segment
        By number.
    """

    path: str
    study_uid: str
    frame_of_reference: str
    series: frozenset[str]
    images: frozenset[str]
    segments: Mapping[int, Segment]

    def chosen(self, names: Collection[str]) -> list[int]:
        """Return the numbers of the segments of such numbers, labels or kinds; all by default."""
        wanted = {name.strip().casefold() for name in names}
        return [
            number
            for number, said in self.segments.items()
            if not wanted or wanted & {str(number), said.label.casefold(), said.kind.casefold()}
        ]


def read_segmentation(path: str) -> Segmentation:
    """Read the header of a segmentation.

    Parameters
    ----------
    path : str
        Of a DICOM Segmentation or Label Map Segmentation.

    Raises
    ------
    NotReadError
        If it is damaged.
    """
    dataset = open_header(path).dataset
    named = items(dataset, "ReferencedSeriesSequence")
    listed = {
        text(one, "ReferencedSOPInstanceUID")
        for each in named
        for one in items(each, "ReferencedInstanceSequence")
    }
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    for own in groups:
        listed |= {uid for uid, _ in sources_of(own, shared)}
    segments = {}
    for each in items(dataset, "SegmentSequence"):
        number = whole(each, "SegmentNumber")
        kind = item(each, "SegmentedPropertyTypeCodeSequence")
        if number:  # 0 is the background of label maps
            meaning = "" if kind is None else text(kind, "CodeMeaning")
            segments[number] = Segment(text(each, "SegmentLabel"), meaning)
    return Segmentation(
        path,
        text(dataset, "StudyInstanceUID"),
        text(dataset, "FrameOfReferenceUID"),
        frozenset(filter(None, (text(each, "SeriesInstanceUID") for each in named))),
        frozenset(filter(None, listed)),
        segments,
    )


def sources_of(frame: Dataset, shared: Dataset | None) -> set[Image]:
    """Return the images from which a frame was drawn."""
    found: set[Image] = set()
    own = items(frame, "DerivationImageSequence")
    for derivation in own or (() if shared is None else items(shared, "DerivationImageSequence")):
        for source in items(derivation, "SourceImageSequence"):
            uid = text(source, "ReferencedSOPInstanceUID")
            for number in numbers_in(source, "ReferencedFrameNumber") or (None,):
                found.add((uid, None if number is None else int(number)))
    return {image for image in found if image[0]}


def header_text(path: str, keyword: str) -> str:
    """Return an element of a file's header as text; empty where there is none, or no such file."""
    try:
        return text(open_header(path, (keyword,)).dataset, keyword)
    except NotReadError:
        return ""
