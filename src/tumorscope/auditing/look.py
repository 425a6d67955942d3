"""Every image of a cohort, opened once: its row, and all that is concluded from its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tumorscope.auditing.input_check import Checked, InputCheck
from tumorscope.auditing.shortcuts import traces_of
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan import as_read, as_unreadable, having_read
from tumorscope.common.cores import in_threads
from tumorscope.common.errors import UnreadableImageError
from tumorscope.common.files import sha256_of
from tumorscope.duplicates.normalised_head import NormalisedHead, normalised_head
from tumorscope.imaging.read import open_image

COLOURED = 0.001
"""Images with at least this share of coloured pixels are flagged: a banner, mark or colour map."""

_SAMPLE_EDGE = 512


@dataclass(frozen=True, slots=True)
class Look:
    """One image, and what is kept of it.

    Attributes
    ----------
    row : Row
        As its file is now.
    head : NormalisedHead or None
        What copies are recognised by; None where the picture cannot be looked at.
    traces : dict or None
        What the probes for shortcuts see, see `traces_of`; None where that was not asked.
    reason : str
        Why it cannot be read; "" where it can.
    checked : Checked or None
        What the input check says; None where that was not asked.
    """

    row: Row
    head: NormalisedHead | None = None
    traces: dict[str, dict[str, float]] | None = None
    reason: str = ""
    checked: Checked | None = None


def look_at_all(
    cohort: Manifest, label: str, *, probes: bool = False, check: InputCheck | None = None
) -> tuple[Manifest, list[Look]]:
    """Open every image of a cohort.

    Returns
    -------
    Manifest
        The cohort with its rows as the files are now.
    list of Look
        One for each row.
    """
    looks = in_threads(lambda row: _look(cohort, row, probes, check), cohort.rows, label)
    read = having_read(cohort, [look.row for look in looks])
    return read, with_rows(looks, read.rows)


def with_rows(looks: Sequence[Look], rows: Sequence[Row]) -> list[Look]:
    """Return the looks with other rows of the same images."""
    return [replace(look, row=row) for look, row in zip(looks, rows, strict=True)]


def look_at_listed(manifest: Manifest) -> list[Look]:
    """Return the usable images of a manifest, with the heads of those that are as it says."""

    def look(row: Row) -> Look:
        try:
            opened = open_image(manifest.file(row))
        except (UnreadableImageError, OSError):
            return Look(row)
        return Look(row, normalised_head(opened.slice) if opened.sha256 == row.sha256 else None)

    return in_threads(look, manifest.usable.rows, "Reading")


def _look(cohort: Manifest, row: Row, probes: bool, check: InputCheck | None) -> Look:
    file = cohort.file(row)
    try:
        opened = open_image(file, sample_edge=_SAMPLE_EDGE)
    except (UnreadableImageError, OSError) as error:
        lost = replace(as_unreadable(row), sha256=_hash_before(cohort, row))
        return Look(lost, reason=str(error))
    coloured = opened.coloured
    return Look(
        as_read(row, opened.info, opened.sha256, coloured=coloured >= COLOURED),
        normalised_head(opened.slice),
        traces_of(opened) if probes else None,
        checked=Checked(*check.check(opened.slice, coloured)) if check else None,
    )


def _hash_before(cohort: Manifest, row: Row) -> str:
    """Return the hash of the image that a file held before it was lost; "" where none is known.

    By it alone the image of a manifest is known until somebody puts it back.
    """
    try:
        return "" if row.sha256 and sha256_of(cohort.file(row)) == row.sha256 else row.sha256
    except OSError:
        return row.sha256
