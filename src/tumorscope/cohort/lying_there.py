"""A report is not written over what another command, or the same one of something else, wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tumorscope.common.errors import UsageError
from tumorscope.imaging.read import IMAGE_SUFFIXES

Document = Mapping[str, object]

SCANS = IMAGE_SUFFIXES | {".dcm"}
"""Endings by which a folder is known to hold scans."""

WITHOUT_REPORT = ("robustness.json", "comparison.json")
"""Of `MARKS`, what may lie beside a report.html of another command: these write none."""

MARKS = {
    "run.json": "a training run",
    "audit.json": "an audit",
    "tuning.json": "a search of hyper-parameters",
    "comparison.json": "a comparison of systems",
    "metrics.json": "an evaluation",
    "folds/protocol.json": "a cross-validation",
    "folds/protocol.txt": "a cross-validation",
    "robustness.json": "a measurement of robustness",
}
"""File in a folder → what wrote the folder."""


def refuse_others(
    folder: Path,
    mine: Mapping[str, Callable[[Document], bool]],
    *,
    reading: str | Path | None = None,
    report: bool = True,
) -> None:
    """Refuse to write into a folder that holds another report, or the scans themselves.

    Parameters
    ----------
    folder : Path
        Where results are to be written.
    mine : mapping of str to callable
        Key of `MARKS` → whether such a document there is of the same command on the same thing,
        whose results may be replaced.
    reading : str, Path or None
        The folder of scans or the manifest that is read, where there is one.
    report : bool
        Whether a report.html is written, which would replace that of another command.

    Raises
    ------
    UsageError
        If something else lies there; nothing is written then.
    """
    if reading is not None:
        _refuse_scans(folder, Path(reading))
    found = [name for name in MARKS if (folder / name).is_file()]
    for name in found:
        document = read_document(folder / name)
        if name in mine:
            # A protocol of a former version is plain text, which tells nothing here.
            told = {} if document is None and name.endswith(".txt") else document
            other = told is None or not mine[name](told)
        else:
            other = report and name not in WITHOUT_REPORT
        if other:
            _refuse(folder, _titled(document) or MARKS[name], name)
    if report and not found and (folder / "report.html").is_file():
        _refuse(folder, "a report.html that nothing beside it tells the origin of", "report.html")


def read_document(path: Path) -> Document | None:
    """Return a JSON object from a file; None where it holds none."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _titled(document: Document | None) -> str:
    title = None if document is None else document.get("title")
    return f"the report “{title}”" if isinstance(title, str) and title else ""


def _refuse(folder: Path, what: str, name: str) -> None:
    raise UsageError(
        f"{folder} holds {what} ({name}), which results of something else would overwrite; nothing "
        "was changed. Expected a folder of their own, or the one with former results of the same "
        "command on the same model and images. Choose another with -o, or delete what lies there."
    )


def _refuse_scans(folder: Path, reading: Path) -> None:
    if not reading.is_dir() or not folder.is_dir():
        return
    inside, scans = folder.resolve(), reading.resolve()
    if inside == scans or (scans in inside.parents and _holds_scans(inside)):
        raise UsageError(
            f"{folder} holds the scans that are read. Expected a folder of its own for what is "
            "written, which would be taken for scans there; nothing was changed. Choose another "
            "with -o."
        )


def _holds_scans(folder: Path) -> bool:
    if any((folder / name).is_file() for name in MARKS):
        return False  # its pictures are figures
    return any(each.suffix.lower() in SCANS for each in folder.iterdir())
