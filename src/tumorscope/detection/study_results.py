"""A finding of a series → all that is written of it, which a log keeps and gives back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tumorscope.detection.series_finding import SeriesFinding, SliceFinding
from tumorscope.detection.series_tables import (
    OVERLAY,
    Row,
    not_read_row,
    series_row,
    slice_rows,
    with_slices,
)
from tumorscope.detection.study_page import StudyPage, without_folder
from tumorscope.model_file.schema import Metadata
from tumorscope.scans.not_read import NotRead

Found = SeriesFinding | NotRead


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be written of each finding.

    Attributes
    ----------
    by_slice, descriptions : bool
        A row for each slice; a column with series descriptions, which may hold names.
    nested : bool
        Whether rows of series hold those of their slices.
    overlays : Path, optional
        Folder for pictures of key slices with their evidence.
    page : StudyPage, optional
        Page for sections.
    """

    by_slice: bool = False
    descriptions: bool = False
    nested: bool = False
    overlays: Path | None = None
    page: StudyPage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """What was written of one finding, or of what was not read.

    Attributes
    ----------
    rows : tuple of dict
        Of a table.
    decision : str
        Of a series; empty where nothing was read.
    reason, line : str
        Why it was not read: the code, and a sentence without folders for a page.
    failures : tuple of str
        Sentences on what could not be read.
    overlays : tuple of str
        Names of pictures.
    section : str, optional
        Of a page.
    finding : SeriesFinding or NotRead or None
        None where an earlier run found it.
    """

    rows: tuple[Row, ...]
    decision: str = ""
    reason: str = ""
    line: str = ""
    failures: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    section: str | None = None
    finding: Found | None = None

    @property
    def resumed(self) -> bool:
        """Whether an earlier run computed it."""
        return self.finding is None

    @property
    def seen(self) -> bool:
        """Whether the model was trained on a slice of it."""
        return any(row.get("seen") for row in self.rows)

    def to_record(self) -> dict[str, object]:
        """Return plain values that `from_record` understands."""
        return {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name != "finding"
        }

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> StudyResult:
        """Return what `to_record` wrote."""
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in record.items()
        }
        return cls(**values)  # type: ignore[arg-type]

    def serves(self, wanted: Wanted) -> bool:
        """Return whether all that is wanted was made by an earlier run, and is still there."""
        if wanted.page is not None and self.decision and self.section is None:
            return False
        if wanted.overlays is None:
            return True
        return all((wanted.overlays / name).is_file() for name in self.overlays)


def result_of(found: Found, wanted: Wanted, metadata: Metadata) -> StudyResult:
    """Write the pictures of a finding, and return what else is to be written of it.

    Raises
    ------
    OutputError
        If a picture cannot be written.
    """
    if isinstance(found, NotRead):
        row = not_read_row(found)
        return StudyResult(
            rows=(with_slices(found, row) if wanted.nested else row,),
            reason=found.reason,
            line=without_folder(found),
            failures=(found.sentence(),) if found.unreadable else (),
            finding=found,
        )
    names = {} if wanted.overlays is None else _painted(found, wanted.overlays, metadata)
    return StudyResult(
        rows=_rows(found, wanted, names),
        decision=found.decision,
        failures=tuple(each.sentence() for each in found.passed_over),
        overlays=tuple(names.values()),
        section=None if wanted.page is None else wanted.page.section(found),
        finding=found,
    )


def _rows(found: SeriesFinding, wanted: Wanted, names: Mapping[int, str]) -> tuple[Row, ...]:
    if wanted.by_slice:
        rows = slice_rows(found)
        places: Sequence[int] = [each.index for each in found.slices]
    else:
        row = series_row(found, description=wanted.descriptions)
        rows = [with_slices(found, row) if wanted.nested else row]
        places = [each.index for each in found.key_slices[:1]] or [-1]
    if wanted.overlays is not None:
        for row, place in zip(rows, places, strict=True):
            row[OVERLAY] = names.get(place, "")
    return tuple(rows)


def _painted(found: SeriesFinding, folder: Path, metadata: Metadata) -> dict[int, str]:
    """Paint the key slices; return the name of each picture by the place of the slice.

    Names and captions tell the place, and tell series apart, and hold nothing of a person.
    """
    from tumorscope.detection.overlay import write_overlay

    names = {}
    for each in found.key_slices:
        if each.picture is None:
            continue
        name = f"{_code(found)}-{found.plane}-{each.index + 1:04d}.png"
        shown = replace(each.finding, source=_place(each))
        write_overlay(folder / name, each.picture, shown, metadata)
        names[each.index] = name
    return names


def _place(each: SliceFinding) -> str:
    return f"slice {each.index + 1}, {each.position:.0f} mm"


def _code(found: SeriesFinding) -> str:
    # A path may hold a name; its hash does not show it.
    which = (found.study_uid, found.series_uid, found.part, found.path)
    return hashlib.sha256(repr(which).encode("utf-8", "surrogateescape")).hexdigest()[:12]
