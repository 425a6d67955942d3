"""A finding of a picture → its row and item, and what is kept so that it can be drawn later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tumorscope.detection.finding import Finding
from tumorscope.detection.records import finding_of, record_of, with_evidence
from tumorscope.imaging.read import read_slice
from tumorscope.imaging.slice import Slice
from tumorscope.serving.http.job import Job
from tumorscope.serving.http.problems import not_found
from tumorscope.serving.http.uploads import Upload

KIND: Final = "kind"


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that was looked at.

    Attributes
    ----------
    path : Path
        Of the picture.
    finding : Finding
        Of it; its source is the name that the client gave.
    """

    path: Path
    finding: Finding

    def slice(self) -> Slice:
        """Return the picture."""
        return read_slice(self.path)


def add_picture(job: Job, upload: Upload, finding: Finding) -> None:
    """Add the finding of a file to the answer."""
    row = record_of(finding, path=upload.name, sha256=upload.sha256)
    number = job.pictures
    job.kept += keep(job.place, number, upload.path, row, finding)
    job.rows.append(row)
    words = finding.words
    job.items.append({KIND: "picture", "words": words, "first_picture": number, "pictures": 1})
    job.pictures += 1
    job.looked_at += 1


def keep(place: Path, number: int, path: Path, row: dict[str, object], finding: Finding) -> int:
    """Keep a finding with its evidence, and where its picture lies; return the bytes it takes."""
    record = {"file": path.name, "record": with_evidence(row, finding)}
    # No rename is needed: nobody is told of the number before the answer is written.
    return (place / f"e{number}.json").write_text(json.dumps(record), "utf-8")


def kept(place: Path, number: int, *, zone: tuple[float, float]) -> Kept:
    """Return a picture that was looked at, by its number; it may be unreadable.

    Raises
    ------
    Problem
        404, if there is none of that number.
    """
    try:
        record = json.loads((place / f"e{number}.json").read_text("utf-8"))
    except OSError:
        raise not_found(f"picture {number}") from None
    return Kept(place / record["file"], finding_of(record["record"], zone=zone))
