"""Groups by a rule of the user's: a regular expression on paths, or a table."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.table import read_table
from tumorscope.cohort.together import regrouped
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.sets import Sets
from tumorscope.common.words import some_of

GROUP_COLUMNS = ("group", "patient", "patient_id", "subject", "subject_id")
"""Columns of a table that may name groups; the first that is there does."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """What a rule for groups did.

    Attributes
    ----------
    rule : str
        The expression, or the table's path.
    images : int
        Readable images that it names a group for.
    groups : int
        How many groups it names.
    unmatched : tuple of str
        Paths of readable images that it says nothing of: each keeps its own group.
    unused : tuple of str
        Paths in the table that name no image of the cohort.
    """

    rule: str
    images: int
    groups: int
    unmatched: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "rule": self.rule,
            "images": self.images,
            "groups": self.groups,
            "unmatched": list(self.unmatched),
            "unused": list(self.unused),
        }


def group_by(cohort: Manifest, rule: str | Path) -> tuple[Manifest, Grouping]:
    """Return the cohort with the groups that a rule gives, and what the rule did.

    A manifest's groups are joined by the rule, never divided; those of a folder, which nobody
    chose, are replaced.

    Parameters
    ----------
    cohort : Manifest
        Its paths are as they are seen from its folder.
    rule : str or Path
        A CSV file with the columns ``path`` and ``group`` (or ``patient`` or ``subject``), where
        there is such a file; else a regular expression that is searched for in each path, and
        whose first group, or the whole match without one, is the name of the image's group.

    Raises
    ------
    UsageError
        If it is not a regular expression, or names a group for no image, or one for all.
    InputError
        If the table cannot be read, or does not tell images apart.
    """
    table = Path(rule)
    usable = [row.path for row in cohort.usable.rows]
    if table.is_file() or table.suffix.lower() in (".csv", ".tsv"):
        names, unused = _by_table(cohort, table)
    else:
        names, unused = _by_expression(usable, str(rule)), ()
    found = Grouping(
        rule=str(rule),
        images=len(names),
        groups=len(set(names.values())),
        unmatched=tuple(path for path in usable if path not in names),
        unused=unused,
    )
    if not names or (found.groups == 1 and not found.unmatched and len(usable) > 1):
        what = "no image" if not names else "all images into one group"
        raise UsageError(
            f"Received the rule for groups {rule}, which names {what}. Paths look like "
            f"{some_of(usable)}. Expected one that tells patients apart, such as "
            "'([A-Za-z]*[0-9]+)_[^/]*$' for P012_03.png, or a CSV file with the columns path and "
            "patient."
        )
    if cohort.form.path is None:
        rows = [replace(row, group=names.get(row.path, row.group)) for row in cohort.rows]
        # Folders that the rule divides or joins are no longer one group each.
        notes = replace(cohort.notes, patients=(), patient_images=0, other_folders=())
        return replace(cohort.having(rows), notes=notes), found
    return _joined(cohort, names), found


def _joined(cohort: Manifest, names: dict[str, str]) -> Manifest:
    together: Sets[str] = Sets()
    for row in cohort.rows:
        together.join(names.get(row.path, row.group), row.group)
    called: dict[str, str] = {}
    for row in cohort.rows:
        if row.path in names:
            called.setdefault(together.find(row.group), names[row.path])
    return cohort.having(
        regrouped(row, called.get(together.find(row.group), row.group)) for row in cohort.rows
    )


def _by_expression(paths: list[str], expression: str) -> dict[str, str]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise UsageError(
            f"Received --group-from {expression}, which is neither a file nor a regular "
            f"expression: {error}. Expected one such as '([A-Za-z]*[0-9]+)_[^/]*$', or a CSV file "
            "with the columns path and patient."
        ) from error
    names = {}
    for path in paths:
        found = pattern.search(path)
        name = (found[1] if pattern.groups else found[0]) if found else None
        if name and name.strip():
            names[path] = name.strip()
    return names


def _by_table(cohort: Manifest, table: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    form, records = read_table(
        table,
        required=("path",),
        what="table of groups",
        advice="Give one with the columns path and patient.",
    )
    column = next((name for name in GROUP_COLUMNS if name in form.columns), None)
    if column is None:
        raise InputError(
            f"The table {table} has the columns {', '.join(form.columns)}. Expected path and one "
            f"of {', '.join(GROUP_COLUMNS)}. Name the column of patients so."
        )
    places = _Places(cohort, table)
    names: dict[str, str] = {}
    unused = []
    for line, record in records:
        written, name = (record["path"] or "").strip(), (record[column] or "").strip()
        path = places.find(written, line)
        if path is None:
            unused.append(written)
        elif name and names.setdefault(path, name) != name:
            raise InputError(
                f"{table}, line {line}: {written} is in the group {name}, and in {names[path]} "
                "before. Expected each image in one group. Correct one of the lines."
            )
    return names, tuple(unused)


class _Places:
    """Finds the image that a path in a table means."""

    def __init__(self, cohort: Manifest, table: Path) -> None:
        rows = cohort.usable.rows
        self._table = table
        self._own = {posixpath.normpath(row.path): row.path for row in rows}
        self._whole = {_normal(cohort.file(row)): row.path for row in rows}
        self._bare: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            self._bare[posixpath.basename(row.path)].append(row.path)

    def find(self, written: str, line: int) -> str | None:
        """Return the path of the image as the cohort has it; None where there is none."""
        plain = posixpath.normpath(written.replace("\\", "/"))
        if plain in self._own:
            return self._own[plain]
        whole = _normal(self._table.parent / plain)
        if whole in self._whole:
            return self._whole[whole]
        bare = self._bare.get(plain, []) if "/" not in plain else []
        if len(bare) > 1:
            raise InputError(
                f"{self._table}, line {line}: {written} may be any of {some_of(bare)}. Expected "
                "paths as seen from the folder of images. Write the folder before the name."
            )
        return bare[0] if bare else None


def _normal(path: Path) -> str:
    return posixpath.normpath(path.absolute().as_posix())
