"""Findings → one self-contained HTML page of cards, written as they come, in constant memory."""

from __future__ import annotations

import base64
import contextlib
import io
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from PIL import Image

from tumorscope.common.errors import UsageError
from tumorscope.common.names import printable
from tumorscope.detection.detector import Detector
from tumorscope.detection.page_file import open_page_file, part_of_page, write_page
from tumorscope.detection.pictures import THUMBNAILS
from tumorscope.detection.records import Result

CARDS = 5000
"""Cards of each decision, the first in the order of the images; the rest is counted."""

DECISIONS = ("tumour", "abstain", "no tumour", "refused", "unreadable")
"""In the order of their counts: what a reader looks for first."""


class FindingsPage:
    """A page that is being written; made by `open_page`.

    Parameters
    ----------
    detector : Detector
        Whose findings these are.
    cards : TextIO
        File where cards wait for the head of the page, which has counts of all of them.
    folder : Path
        Where the page will lie.
    overlays : Path, optional
        Folder of the batch's overlays, to which pictures link.
    most : int
        See `CARDS`.
    """

    def __init__(
        self,
        detector: Detector,
        cards: TextIO,
        *,
        folder: Path,
        overlays: Path | None = None,
        most: int = CARDS,
    ) -> None:
        self._detector, self._cards, self._folder = detector, cards, folder
        self._overlays, self._most = overlays, most
        self._counts: Counter[str] = Counter()
        self._shown = self._pictures = self._seen = self._readable = 0

    def add(self, result: Result) -> None:
        """Write the card of one result."""
        finding = result.finding
        if finding is None:
            raise ValueError("Received a result without its finding; expected pictures.thumbnails.")
        decision, picture = finding.decision, result.thumbnail
        self._counts[decision] += 1
        self._seen += bool(finding.seen)
        self._readable += decision != "unreadable"
        self._pictures += picture is not None
        if self._counts[decision] > self._most:
            return
        self._shown += 1
        width, height = _size(picture)
        card = part_of_page(
            "card.html",
            decision=decision,
            probability=finding.probability,
            seen=finding.seen,
            picture=None if picture is None else base64.b64encode(picture).decode(),
            width=width,
            height=height,
            link=self._link(result),
            alt=_alternative(result),
            words=finding.words,
            codes=() if finding.unreadable else finding.reasons,
            path=printable(str(result.values["path"])),
        )
        self._cards.write(card.replace("\n", " ") + "\n")

    def write(self, path: Path, *, table: Path | None = None) -> None:
        """Write the whole page; `table` is where all findings stand, if they do."""
        write_page(
            path,
            "findings.html",
            self._cards,
            total=self._counts.total(),
            counts=[(each, self._counts[each]) for each in DECISIONS if self._counts[each]],
            seen=self._seen,
            model=self._detector.model_id,
            operating_point=self._detector.operating_point,
            zone=self._detector.zone,
            limits=list(self._limits(table)),
        )

    def _limits(self, table: Path | None) -> Iterator[str]:
        """Say what the page leaves out, by which rule, and where it stands."""
        if self._pictures < self._readable:
            yield (
                f"Pictures are shown of {self._pictures:,} of {self._readable:,} images that could "
                f"be read: the first {THUMBNAILS:,} of each decision, in the order of the images."
            )
        total = self._counts.total()
        if self._shown < total:
            where = "" if table is None else f" All findings are in {printable(table.name)}."
            yield (
                f"Cards are shown of {self._shown:,} of {total:,} images: the first "
                f"{self._most:,} of each decision, in the order of the images.{where}"
            )

    def _link(self, result: Result) -> str | None:
        if self._overlays is None or result.values["decision"] == "unreadable":
            return None
        try:
            there = os.path.relpath(self._overlays / result.found.place, self._folder)
        except ValueError:  # on another drive of Windows
            return None
        return quote(Path(os.fsdecode(there)).as_posix(), errors="surrogateescape")


def check_page(path: Path) -> None:
    """Refuse a name by which no browser would know a page.

    Raises
    ------
    UsageError
        Before any work is done.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"The report was to be written to {path}. Expected a name that ends in .html, as it is "
            "a page for a browser; a table (.csv, .parquet, .jsonl) is written by -o."
        )


@contextlib.contextmanager
def open_page(
    path: Path, detector: Detector, *, table: Path | None = None, overlays: Path | None = None
) -> Iterator[FindingsPage]:
    """Give a page to add results to; it appears under its name once the block ends well.

    Parameters
    ----------
    path : Path
        Of the page.
    detector : Detector
        Whose findings these are.
    table : Path, optional
        Where all findings stand, which a page that has no room for all of them names.
    overlays : Path, optional
        Folder of the batch's overlays, to which pictures link.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with open_page_file(path) as (temporary, cards):
        page = FindingsPage(detector, cards, folder=path.parent, overlays=overlays)
        yield page
        page.write(temporary, table=table)


def _size(picture: bytes | None) -> tuple[int, int]:
    if picture is None:
        return 0, 0
    with Image.open(io.BytesIO(picture)) as opened:
        return opened.size


def _alternative(result: Result) -> str:
    """Return what stands in place of a picture."""
    if result.values["decision"] == "unreadable":
        return "No picture: the file cannot be read."
    if result.thumbnail is None:
        return "No picture: this page has those of the first images of each decision."
    with_evidence = result.finding is not None and result.finding.evidence is not None
    return "The slice as read, and with its evidence." if with_evidence else "The slice as read."
