"""What people did to a manifest is not overwritten by one that does not know of it."""

from __future__ import annotations

from pathlib import Path

from tumorscope.cohort.manifest import COLUMNS, Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.together import GIVEN, given_names
from tumorscope.common.errors import InputError, UsageError


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


def _edits(there: Manifest, cohort: Manifest) -> list[str]:
    """Return what `there` has and `cohort` has not, in words."""
    known = {cohort.file(row).absolute(): row for row in cohort.rows}
    both = [(row, known.get(there.file(row).absolute())) for row in there.rows]
    own = [name for name in there.form.columns if name not in (*COLUMNS, GIVEN)]
    lost = [f"the columns {', '.join(own)}"] if set(own) - set(cohort.form.columns) else []
    if any(row.split and (mine is None or mine.split != row.split) for row, mine in both):
        lost.append("splits")
    if given_names(there.rows) - given_names(cohort.rows):
        lost.append("groups that you named")
    changed = [row for row, mine in both if mine is not None and _said(row) != _said(mine)]
    if changed:
        lost.append(f"labels, types or sources that you changed ({changed[0].path})")
    return lost


def _said(row: Row) -> tuple[int, str, str]:
    return row.label, row.tumour_type, row.source
