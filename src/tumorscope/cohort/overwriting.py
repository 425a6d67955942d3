"""What lies in a folder already is not overwritten: reports of something else, edits, scans."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tumorscope.cohort.cells import MANIFEST_COLUMNS
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.together import GIVEN, given_names
from tumorscope.common.errors import InputError, UsageError
from tumorscope.imaging.kinds import IMAGE_SUFFIXES

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
            # A protocol of an earlier version is plain text, which says nothing here.
            said = {} if document is None and name.endswith(".txt") else document
            other = said is None or not mine[name](said)
        else:
            other = report and name not in WITHOUT_REPORT
        if other:
            _refuse(folder, _titled(document) or MARKS[name], name)
    if report and not found and (folder / "report.html").is_file():
        _refuse(folder, "a report.html of unknown origin", "report.html")


def protect_edits(cohort: Manifest, path: Path, *, whole: bool = True) -> None:
    """Refuse to write `cohort` over a manifest that holds more than `cohort` does.

    Parameters
    ----------
    cohort : Manifest
        What is to be written.
    path : Path
        Where.
    whole : bool
        Whether all rows of the cohort are written; where only those are that can be read, or are
        scored, not even the file that they come from may be overwritten.

    Raises
    ------
    UsageError
        If the file at `path` has splits, columns, groups or labels that would be lost.
    """
    if not path.is_file():
        return
    if cohort.form.is_of(path):
        if whole:
            return
        raise UsageError(
            f"{path} was given as the cohort, and would be overwritten by those of its images that "
            "are used. Expected a folder of its own for the results. Choose another with -o."
        )
    try:
        there = Manifest.load(path)
    except InputError:
        edits = ["no manifest that can be read, so perhaps something else of yours"]
    else:
        edits = _edits(there, cohort)
    if edits:
        raise UsageError(
            f"{path} would be overwritten, and it holds {', '.join(edits)}. Expected a new folder, "
            "or one with an audit that nobody edited. Audit that file itself, which keeps them "
            f"(tumorscope audit {path} -o {path.parent}), or choose another folder with -o."
        )


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
        return False  # its pictures are of reports
    return any(each.suffix.lower() in SCANS for each in folder.iterdir())


def _edits(there: Manifest, cohort: Manifest) -> list[str]:
    """Return what `there` has and `cohort` has not, in words."""
    known = {cohort.file(row).absolute(): row for row in cohort.rows}
    both = [(row, known.get(there.file(row).absolute())) for row in there.rows]
    own = [name for name in there.form.columns if name not in (*MANIFEST_COLUMNS, GIVEN)]
    kept = {*cohort.form.columns, *(name for row in cohort.rows for name in row.extra)}
    lost = [f"the columns {', '.join(own)}"] if set(own) - kept else []
    if any(row.split and (mine is None or mine.split != row.split) for row, mine in both):
        lost.append("splits")
    if given_names(there.rows) - given_names(cohort.rows):
        lost.append("groups that you named")
    if any(_mask_of(there, row) not in (None, _mask_of(cohort, mine)) for row, mine in both):
        lost.append("masks")
    changed = [row for row, mine in both if mine is not None and _said(row) != _said(mine)]
    if changed:
        lost.append(f"labels, types or sources that you changed ({changed[0].path})")
    return lost


def _mask_of(manifest: Manifest, row: Row | None) -> Path | None:
    """Return where the mask of a row is; None without one, or where it is gone."""
    file = None if row is None else manifest.mask_file(row)
    return None if file is None or not file.is_file() else file.absolute()


def _said(row: Row) -> tuple[int, str, str]:
    return row.label, row.tumour_type, row.source
