"""The cohort as a table: written as CSV, readable in a diff, checked on load."""

from __future__ import annotations

import posixpath
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.cells import (
    MANIFEST_COLUMNS,
    OPTIONAL,
    REQUIRED,
    cells_of,
    check_flags_quoted,
    row_of,
)
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan_notes import ScanNotes
from tumorscope.cohort.table import Form, read_table, write_table
from tumorscope.cohort.together import Joined, kept_together
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.files import sha256_of
from tumorscope.common.words import some_of


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

    Examples
    --------
    >>> from tumorscope.cohort.row import Row
    >>> rows = (
    ...     Row("yes/1.png", "0" * 64, label=1, group="P1", split="training"),
    ...     Row("no/2.png", "1" * 64, label=0, group="P2", split="testing"),
    ... )
    >>> manifest = Manifest(rows, Path("scans"))
    >>> manifest.labels, manifest.groups.tolist()
    (array([1, 0]), ['P1', 'P2'])
    >>> [row.path for row in manifest.of_split("testing").rows]
    ['no/2.png']
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

    def mask_file(self, row: Row) -> Path | None:
        """Return where the mask of `row` lies; None where it has none."""
        return self.root / row.mask if row.mask else None

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

    def _cells(self, row: Row, folder: Path) -> dict[str, object]:
        mask = self.mask_file(row)
        return cells_of(
            row,
            portable_path(self.file(row), folder),
            "" if mask is None else portable_path(mask, folder),
        )

    def _columns(self) -> tuple[str, ...]:
        own = [name for name in MANIFEST_COLUMNS if name not in OPTIONAL]
        own += [name for name in OPTIONAL if any(getattr(row, name) for row in self.rows)]
        return tuple(
            dict.fromkeys(
                (*self.form.columns, *own, *(name for row in self.rows for name in row.extra))
            )
        )

    @classmethod
    def load(cls, path: str | Path, *, notes: ScanNotes | None = None) -> Manifest:
        """Read and check a manifest.

        Columns other than path, sha256, label and group may be missing; further columns are kept
        as they are. Whether the images still exist and are unchanged is asked by `check_files`.

        Parameters
        ----------
        path : path
            Of the CSV file.
        notes : ScanNotes, optional
            What was left out of the folder that it is of, where that is known: the file does not
            say.

        Raises
        ------
        InputError
            If it cannot be read, lacks a column, or a value is not allowed; every
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
        check_flags_quoted(form, records)
        rows = [row_of(record, path, line) for line, record in records]
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
        return cls(tuple(rows), path.parent, form, notes=notes or ScanNotes())

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

    def divided_groups(self) -> list[str]:
        """Return the groups whose usable images lie in more than one split.

        An image without a split is used for nothing, so it divides no group.
        """
        return list(self._divided())

    def parted_groups(self) -> list[str]:
        """Return `divided_groups`.

        .. deprecated:: 0.2
           Use `divided_groups`.
        """
        warnings.warn(
            "Manifest.parted_groups is now divided_groups, and will go in the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.divided_groups()

    def _divided(self) -> dict[str, dict[str, str]]:
        """Return divided groups, each with an image of every split that it reaches."""
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
            If groups are divided, naming up to three of them.
        """
        divided = [
            f"{group} ({', '.join(f'{path} in {split}' for split, path in there.items())})"
            for group, there in self._divided().items()
        ]
        if divided:
            raise HonestyError(
                f"{len(divided)} groups lie in more than one split: {some_of(divided)}. Images of "
                "a group are copies of one picture or one patient, so a model tested on them has "
                "seen the answer. Run `tumorscope split` to split by group, and train again what "
                "was trained on these splits."
            )


Data = str | Path | Manifest
"""What every command takes for a cohort: a folder of class folders, a CSV file, or the rows."""


def portable_path(file: Path, folder: Path) -> str:
    """Return `file` relative to `folder` where it lies below it, else absolute."""
    # Not resolve(): a symbolic link in a cohort should keep the name that the user gave it.
    file, folder = file.absolute(), folder.absolute()
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()
