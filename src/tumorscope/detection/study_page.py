"""Findings of series → one self-contained page: key slices, the curve, what was passed over."""

from __future__ import annotations

import base64
import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from tumorscope.common.names import printable
from tumorscope.common.words import counted
from tumorscope.detection.detector import Detector
from tumorscope.detection.evidence import temperature_of
from tumorscope.detection.page_file import open_page_file, part_of_page, write_page
from tumorscope.detection.series_curve import curve_of
from tumorscope.detection.series_finding import SeriesFinding, SliceFinding
from tumorscope.detection.thumbnail import thumbnail
from tumorscope.imaging.preprocess import Preprocessing
from tumorscope.imaging.slice import Slice
from tumorscope.scans.not_read import NotRead

DECISIONS = ("tumour", "abstain", "no tumour", "refused")

SHOWN = 300
"""Records of what was not looked at; the rest is counted, and the table has all of them."""

NUMBER = "\x00"
"""Stands for the number of a section until it has one; no text of a page holds it."""

EDGE = 190
"""Pixels of the longer side of a key slice."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A key slice as the page shows it."""

    data: str
    caption: str
    highest: bool


class StudyPage:
    """A page that is being written; made by `open_study_page`.

    Parameters
    ----------
    detector : Detector
        Whose findings these are.
    cards : TextIO
        File where sections wait for the head of the page.
    descriptions : bool
        Whether series descriptions are shown, which may hold names.
    """

    def __init__(self, detector: Detector, cards: TextIO, descriptions: bool) -> None:
        self._detector, self._cards, self._descriptions = detector, cards, descriptions
        self._counts: Counter[str] = Counter()
        self._not_read: list[str] = []
        self._seen = 0

    def add(self, found: SeriesFinding | NotRead) -> None:
        """Write the section of one series, or note what was not read."""
        if isinstance(found, NotRead):
            self.note(without_folder(found))
        else:
            self.place(found.decision, self.section(found), seen=bool(found.seen))

    def note(self, line: str) -> None:
        """Note why something was not read."""
        self._not_read.append(line)

    def place(self, decision: str, section: str, *, seen: bool) -> None:
        """Write a section that `section` made, now or in an earlier run."""
        self._counts[decision] += 1
        self._seen += seen
        numbered = section.replace(NUMBER, str(self._counts.total()))
        self._cards.write(numbered + "\n")

    def section(self, found: SeriesFinding) -> str:
        """Return the section of one series; its number stands as `NUMBER`."""
        how = self._detector.metadata.preprocessing.preprocessing
        temperature = temperature_of(self._detector.metadata)
        keys = sorted(found.key_slices, key=lambda each: each.position)
        first = found.key_slices[0] if found.key_slices else None
        pictures = [
            Picture(
                _picture(each.picture, each, how, temperature),
                _caption(each),
                first is not None and each.index == first.index,
            )
            for each in keys
            if each.picture is not None
        ]
        return part_of_page(
            "series.html",
            number=NUMBER,
            found=found,
            facts=_facts(found),
            description=found.description if self._descriptions else "",
            pictures=pictures,
            curve=curve_of(found, keys),
            remarks=[each.sentence() for each in found.remarks],
            passed=[without_folder(each) for each in found.passed_over],
            path=printable(Path(found.path).name),
        )

    def write(self, path: Path) -> None:
        """Write the whole page."""
        total = self._counts.total()
        write_page(
            path,
            "study.html",
            self._cards,
            title=f"Findings of {counted(total, 'series', 'series')}",
            counts=[(each, self._counts[each]) for each in DECISIONS if self._counts[each]],
            seen=self._seen,
            model=self._detector.model_id,
            rule=self._detector.metadata.series,
            passed=self._not_read[:SHOWN],
            not_read=len(self._not_read),
        )


@contextlib.contextmanager
def open_study_page(path: Path, detector: Detector, descriptions: bool) -> Iterator[StudyPage]:
    """Give a page to add findings to; it appears under its name once the block ends well.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with open_page_file(path) as (temporary, sections):
        page = StudyPage(detector, sections, descriptions)
        yield page
        page.write(temporary)


def _facts(found: SeriesFinding) -> list[str]:
    facts = [
        found.plane,
        found.sequence or "sequence not stated",
        counted(len(found.slices), "slice"),
    ]
    if len(found.slices) > 1:
        steps = [after.position - one.position for one, after in pairwise(found.slices)]
        least, most = f"{min(steps):.1f}", f"{max(steps):.1f}"
        facts.append(f"{least} mm apart" if least == most else f"{least} to {most} mm apart")
    if found.part[1] > 1:
        facts.append(f"volume {found.part[0]} of {found.part[1]}")
    return [*facts, f"window {found.window}"]


def without_folder(record: NotRead) -> str:
    """Return why something was not read; folders of archives may be named after people."""
    return replace(record, path=Path(record.path).name).sentence()


def _picture(scan: Slice, each: SliceFinding, how: Preprocessing, temperature: float | None) -> str:
    drawn = thumbnail(scan, each.finding, how, temperature=temperature, edge=EDGE)
    return base64.b64encode(drawn).decode()


def _caption(each: SliceFinding) -> str:
    probability = each.finding.probability
    said = each.finding.decision if probability is None else f"p = {probability:.2f}"
    return f"slice {each.index + 1}, {each.position:.0f} mm, {said}"
