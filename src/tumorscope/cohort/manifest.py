"""The cohort as a table: written as CSV, readable in a diff, checked on load."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.row import FLAGS, NO_TYPE, SPLITS, Row
from tumorscope.cohort.scan_notes import ScanNotes
from tumorscope.cohort.table import Form, Record, read_table, write_table
from tumorscope.cohort.together import Joined, kept_together
from tumorscope.common.classes import TUMOUR_TYPES
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.files import sha256_of
from tumorscope.common.words import some_of

COLUMNS = tuple(one.name for one in fields(Row) if one.name != "extra")
"""Those of `OPTIONAL` are written only where an image has something there."""

OPTIONAL = ("tumour_type", "picture")

REQUIRED = ("path", "sha256", "label", "group")
_SHA256 = re.compile("[0-9a-f]{64}")
_PIXELS = re.compile("[0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows of a cohort, and the folder that relative paths start from.

    No manifest holds one picture in two groups: rows with the same bytes, or of the same
    `Row.picture`, are joined when it is made.

    Attributes
    ----------
    rows : tuple of Row
        One per image.
    root : Path
        Where relative paths start.
    form : Form
        How the file is written that it was read from.
    joined : tuple of tuple of str
        Groups that became one; see `tumorscope.cohort.together`.
    notes : ScanNotes
        What was left out of a folder that was scanned; nothing for a manifest that was read.
    """

    rows: tuple[Row, ...]
    root: Path
    form: Form = field(default=Form(), compare=False, repr=False)
    joined: tuple[Joined, ...] = field(default=(), compare=False, repr=False)
    notes: ScanNotes = field(default_factory=ScanNotes, compare=False, repr=False)

    def __post_init__(self) -> None:
        rows, joined = kept_together(self.rows)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "joined", (*self.joined, *joined))

    def __len__(self) -> int:
        return len(self.rows)

    def file(self, row: Row) -> Path:
        """Return where the image of `row` lies."""
        return self.root / row.path

    @property
    def usable(self) -> Manifest:
        """The manifest without unreadable files."""
        return self.having(row for row in self.rows if row.usable)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths of the files that `usable` leaves out."""
        return tuple(row.path for row in self.rows if not row.usable)

    @property
    def audited(self) -> bool:
        """Whether an audit looked for copies: it alone writes modes, and flags beside them."""
        flagged = not self.form.columns or "flags" in self.form.columns
        return flagged and all(row.mode for row in self.usable.rows)

    def having(self, rows: Iterable[Row]) -> Manifest:
        """Return a manifest of the same root with other rows."""
        return replace(self, rows=tuple(rows))

    def of_split(self, *splits: str) -> Manifest:
        """Return the rows of the named splits."""
        return self.having(row for row in self.rows if row.split in splits)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels as an array of shape (n,): 1 tumour, 0 no tumour."""
        return np.array([row.label for row in self.rows], dtype=np.int64)

    @property
    def groups(self) -> NDArray[np.str_]:
        """Groups as an array of shape (n,)."""
        return np.array([row.group for row in self.rows], dtype=np.str_)

    def save(self, path: Path) -> None:
        """Write as CSV, with paths made relative to its folder where the images lie below it.

        Columns that tumorscope does not know are written as they were read, in their place. The
        file that the manifest was read from keeps its form; others have commas, in UTF-8.
        """
        write_table(
            path,
            self._columns(),
            (self._cells(row, path.parent) for row in self.rows),
            form=self.form if self.form.is_of(path) else None,
        )

    def _columns(self) -> tuple[str, ...]:
        own = [name for name in COLUMNS if name not in OPTIONAL]
        own += [name for name in OPTIONAL if any(getattr(row, name) for row in self.rows)]
        return tuple(
            dict.fromkeys(
                (*self.form.columns, *own, *(name for row in self.rows for name in row.extra))
            )
        )

    def _cells(self, row: Row, folder: Path) -> dict[str, object]:
        cells: dict[str, object] = {
            **row.extra,
            **{name: getattr(row, name) or row.extra.get(name, "") for name in OPTIONAL},
            **{name: getattr(row, name) for name in COLUMNS if name not in OPTIONAL},
        }
        cells["path"] = portable_path(self.file(row), folder)
        cells["flags"] = ";".join(row.flags)
        return cells

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read and check a manifest.

        Columns other than path, sha256, label and group may be missing; further columns are kept
        as they are. Whether the images still exist and are unchanged is asked by `check_files`.

        Raises
        ------
        InputError
            If it cannot be read, lacks a column, or a value is none of those allowed; every
            message names the line.
        """
        path = Path(path)
        form, records = read_table(
            path,
            required=REQUIRED,
            what="manifest",
            advice="`tumorscope audit DATA -o DIR` writes one.",
        )
        if not records:
            raise InputError(
                f"The manifest {path} has a header and no rows; expected one row per image. "
                "Write one with `tumorscope audit DATA -o DIR`."
            )
        _check_flags_quoted(form, records)
        rows = [_parse(record, path, line) for line, record in records]
        seen: set[str] = set()
        for row in rows:
            # ./a.png and a.png are one file, which must not be trained and tested on.
            place = posixpath.normpath(row.path)
            if place in seen:
                raise InputError(
                    f"The manifest {path} names {row.path} twice; expected each image once. "
                    "Remove one of the rows."
                )
            seen.add(place)
        return cls(tuple(rows), path.parent, form)

    def check_files(self) -> None:
        """Make sure that every usable image still exists with the content that was audited.

        Raises
        ------
        InputError
            If files are missing or changed, naming up to three of them.
        """
        missing, changed = [], []
        for row in self.usable.rows:
            try:
                same = sha256_of(self.file(row)) == row.sha256
            except OSError:
                missing.append(row.path)
            else:
                if not same:
                    changed.append(row.path)
        for what, paths in (("no longer exist", missing), ("changed since the audit", changed)):
            if paths:
                raise InputError(
                    f"{len(paths)} of {len(self.rows)} images of the manifest {what}: "
                    f"{some_of(paths)}. Expected the files that were audited. Put them back, or "
                    "run `tumorscope audit` again to describe what is there now."
                )

    def parted_groups(self) -> list[str]:
        """Return the groups whose usable images lie in more than one split.

        An image without a split is used for nothing, so it parts no group.
        """
        return list(self._parted())

    def _parted(self) -> dict[str, dict[str, str]]:
        """Return parted groups, each with an image of every split that it reaches."""
        sides: dict[str, dict[str, str]] = {}
        for row in self.rows:
            if row.usable and row.split:
                sides.setdefault(row.group, {}).setdefault(row.split, row.path)
        return {group: there for group, there in sides.items() if len(there) > 1}

    def check_groups(self) -> None:
        """Make sure that no group lies in two splits.

        Raises
        ------
        HonestyError
            If groups are parted, naming up to three of them.
        """
        parted = [
            f"{group} ({', '.join(f'{path} in {split}' for split, path in there.items())})"
            for group, there in self._parted().items()
        ]
        if parted:
            raise HonestyError(
                f"{len(parted)} groups lie in more than one split: {some_of(parted)}. Images of a "
                "group are copies of one picture or one patient, so a model tested on them has "
                "seen the answer. Run `tumorscope split` to split by group, and train anew what "
                "was trained on these splits."
            )


Data = str | Path | Manifest
"""What every command takes for a cohort: a folder of class folders, a CSV file, or the rows."""


def portable_path(file: Path, folder: Path) -> str:
    """Return `file` relative to `folder` where it lies below it, else absolute."""
    # Not resolve(): a symbolic link in a cohort should keep the name that the user gave it.
    file, folder = file.absolute(), folder.absolute()
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def _check_flags_quoted(form: Form, records: list[tuple[int, Record]]) -> None:
    """Refuse flags joined by ; without quotes where ; parts cells: the second would be lost."""
    if form.delimiter != ";" or "flags" not in form.columns:
        return
    after = (*form.columns, "")[form.columns.index("flags") + 1]
    for line, record in records:
        if record.get(after) in FLAGS:
            raise InputError(
                f"{form.path}, line {line}: the flag {record[after]} stands in a cell of its own. "
                "Expected all flags of an image in one cell, in quotes where semicolons part the "
                'cells: "disguised;colour". Put them in quotes.'
            )


def _parse(record: Record, manifest: Path, line: int) -> Row:
    def refuse(column: str, expected: str) -> InputError:
        return InputError(
            f"{manifest}, line {line}: {column} is {record.get(column)!r}; expected {expected}. "
            "Correct the line, or write the manifest again with `tumorscope audit`."
        )

    values = {name: (record.get(name) or "").strip() for name in COLUMNS}
    if not values["path"] or "\0" in values["path"]:
        raise refuse("path", "the path of an image")
    if values["label"] not in ("0", "1"):
        raise refuse("label", "1 (tumour) or 0 (no tumour)")
    if not values["group"]:
        raise refuse("group", "a name (images that must stay together share it)")
    if values["split"] not in ("", *SPLITS):
        raise refuse("split", f"one of {', '.join(SPLITS)}, or nothing")
    flags = tuple(flag for flag in values["flags"].split(";") if flag)
    if not set(flags) <= set(FLAGS):
        raise refuse("flags", f"codes from {', '.join(FLAGS)}, joined by ;")
    if "unreadable" not in flags and not _SHA256.fullmatch(values["sha256"].lower()):
        raise refuse("sha256", "64 hexadecimal digits")
    kind = values["tumour_type"].lower()
    if values["label"] == "1" and kind not in ("", *TUMOUR_TYPES):
        raise refuse("tumour_type", f"one of {', '.join(TUMOUR_TYPES)}, or nothing")
    if values["label"] == "0" and kind not in ("", NO_TYPE):
        raise refuse("tumour_type", "nothing, as the label is 0 (no tumour)")
    for column in ("width", "height"):
        if not _PIXELS.fullmatch(values[column]):
            raise refuse(column, "a number of pixels")
    return Row(
        path=values["path"],
        sha256=values["sha256"].lower(),
        label=int(values["label"]),
        group=values["group"],
        split=values["split"],
        source=values["source"],
        width=int(values["width"] or 0),
        height=int(values["height"] or 0),
        mode=values["mode"],
        flags=flags,
        tumour_type="" if kind == NO_TYPE else kind,
        picture=values["picture"],
        extra={
            name: cell or ""
            for name, cell in record.items()
            # "none" is how the user says it, so it is written again.
            if name not in COLUMNS or (name == "tumour_type" and kind == NO_TYPE)
        },
    )
