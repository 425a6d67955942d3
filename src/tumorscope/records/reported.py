"""What a report in a folder is on, read from its metrics.json."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from tumorscope.cohort.overwriting import Document
from tumorscope.detection.detector import PACKAGED, PACKAGED_NAME

OLDER_TITLES = {
    "Internal testing": "internal testing",
    "External testing": "external testing",
    "Cross-validation": "cross-validation",
}
"""Beginning of a title → kind, for reports of versions that wrote no kind."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report is on.

    Attributes
    ----------
    kind : str
        See `tumorscope.reports.inputs.ReportInputs.kind`; "" where it is no evaluation.
    subject : Path or None
        The run or model file, where one was measured.
    data : Path or None
        The cohort, where it was not the run's own.
    data_sha256 : str
        Of the images that were scored.
    model : str
        Id of the model that answered; "" where none did.
    """

    kind: str
    subject: Path | None
    data: Path | None
    data_sha256: str
    model: str

    @classmethod
    def of(cls, document: Document) -> Reported:
        """Read a metrics.json, also one of an older version.

        Examples
        --------
        >>> Reported.of({"title": "Internal testing of the recipe “a”", "subject": "runs/a"}).kind
        'internal testing'
        """
        detector = document.get("detector")
        kind, subject, data = document.get("kind"), document.get("subject"), document.get("data")
        if not isinstance(kind, str):
            title = str(document.get("title", ""))
            kind = next((OLDER_TITLES[each] for each in OLDER_TITLES if title.startswith(each)), "")
            named, data = _named_in_command(str(document.get("command", "")))
            subject = subject or named
        path = Path(subject) if isinstance(subject, str) and subject else None
        return cls(
            kind=kind,
            subject=PACKAGED if path == Path(PACKAGED_NAME) else path,
            data=Path(data) if isinstance(data, str) and data else None,
            data_sha256=str(document.get("data_sha256") or ""),
            model=str(detector.get("model", "")) if isinstance(detector, dict) else "",
        )


def _named_in_command(command: str) -> tuple[str, str]:
    """Return the subject and the data that the command of an evaluation names."""
    lines = command.splitlines()
    words = shlex.split(lines[-1]) if lines else []
    if words[:2] != ["tumorscope", "evaluate"]:
        return "", ""
    named = list(takewhile(lambda word: not word.startswith("-"), words[2:]))
    subject, data = [*named[:2], "", ""][:2]
    return subject, data
