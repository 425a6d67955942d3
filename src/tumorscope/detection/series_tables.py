"""Findings of series → rows: one for each series, or one for each slice."""

from __future__ import annotations

from collections.abc import Mapping

from tumorscope.common.names import as_text
from tumorscope.detection.records import record_of
from tumorscope.detection.series_finding import SeriesFinding, SliceFinding
from tumorscope.detection.tables import FINDING_COLUMNS, NESTED
from tumorscope.scans.not_read import NotRead

Row = dict[str, object]

SERIES_COLUMNS: dict[str, type] = {
    "path": str,
    "study_uid": str,
    "series_uid": str,
    "part": str,
    "decision": str,
    "score": float,
    "reasons": str,
    "seen": bool,
    "plane": str,
    "sequence": str,
    "slices": int,
    "slices_tumour": int,
    "key_position": float,
    "key_sop_instance_uid": str,
    "key_frame": int,
    "no_tumour_below": float,
    "tumour_from": float,
    "window": str,
    "remarks": str,
    "model": str,
    "operating_point": str,
    "ms": float,
}
"""Name and type of every column of a table of series, in order."""

DESCRIPTION = "description"
"""A further column, only where it is asked for: descriptions may hold names."""

OVERLAY = "overlay"
"""A further column where overlays are written: the name of the picture of the key slice."""

SLICE_COLUMNS: dict[str, type] = {
    **FINDING_COLUMNS,
    "study_uid": str,
    "series_uid": str,
    "part": str,
    "sop_instance_uid": str,
    "frame": int,
    "plane": str,
    "position": float,
    "curve": float,
}
"""Name and type of every column of a table of slices, in order."""


def series_row(found: SeriesFinding | NotRead, *, description: bool = False) -> Row:
    """Return a finding, or what was not read, as values by column of `SERIES_COLUMNS`."""
    if isinstance(found, NotRead):
        return not_read_row(found)
    key = found.key_slices[0] if found.key_slices else None
    level = found.level
    row: Row = {
        "path": as_text(found.path),
        "study_uid": found.study_uid,
        "series_uid": found.series_uid,
        "part": _part(found),
        "decision": found.decision,
        "score": found.score,
        "reasons": ";".join(found.reasons),
        "seen": found.seen,
        "plane": found.plane,
        "sequence": found.sequence,
        "slices": len(found.slices),
        "slices_tumour": sum(each.finding.decision == "tumour" for each in found.slices),
        "key_position": None if key is None else round(key.position, 2),
        "key_sop_instance_uid": "" if key is None else key.sop_instance_uid,
        "key_frame": None if key is None else key.frame,
        "no_tumour_below": None if level is None else level.no_tumour,
        "tumour_from": None if level is None else level.tumour,
        "window": found.window,
        "remarks": ";".join(each.code for each in found.remarks),
        "model": found.model,
        "operating_point": found.operating_point,
        "ms": round(found.ms, 3),
    }
    return {**row, DESCRIPTION: found.description} if description else row


def not_read_row(record: NotRead) -> Row:
    """Return what was not read as a row: unreadable, or passed over, with its reason."""
    decision = "unreadable" if record.unreadable else "passed over"
    return {
        "path": as_text(record.path),
        "study_uid": record.study_uid,
        "series_uid": record.series_uid,
        "decision": decision,
        "reasons": record.reason,
        "slices": record.images,
    }


def slice_rows(found: SeriesFinding) -> list[Row]:
    """Return the findings of the slices as values by column of `SLICE_COLUMNS`."""
    return [_slice_row(each, found) for each in found.slices]


def with_slices(found: SeriesFinding | NotRead, row: Mapping[str, object]) -> Row:
    """Return a row of a series with those of its slices, as a line of JSON has them."""
    return {**row, NESTED: slice_rows(found) if isinstance(found, SeriesFinding) else []}


def _slice_row(each: SliceFinding, found: SeriesFinding) -> Row:
    return {
        **record_of(each.finding, path=as_text(each.path), sha256=""),
        "study_uid": found.study_uid,
        "series_uid": found.series_uid,
        "part": _part(found),
        "sop_instance_uid": each.sop_instance_uid,
        "frame": each.frame,
        "plane": found.plane,
        "position": round(each.position, 2),
        "curve": each.curve,
    }


def _part(found: SeriesFinding) -> str:
    number, count = found.part
    return f"{number}/{count}" if count > 1 else ""
