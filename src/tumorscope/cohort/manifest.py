"""The cohort as a table: written as CSV, readable in a diff, checked on load."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.files import sha256_of, write_text

SPLITS = ("training", "tuning", "testing")
FLAGS = (
    "unreadable",
    "disguised",
    "exact-duplicate",
    "near-duplicate",
    "label-conflict",
    "type-conflict",
    "overlap",
    "colour",
    "tiny",
)

TUMOUR_TYPES = ("glioma", "meningioma", "pituitary")
NO_TYPE = "none"
"""What some manifests call the type of an image without tumour."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a cohort.

    Attributes
    ----------
    path : str
        Relative to the manifest's root where it lies below it, else absolute; forward slashes.
    sha256 : str
        Of the file's bytes, 64 hexadecimal digits.
    label : int
        Reference standard: 1 tumour, 0 no tumour.
    group : str
        Images with the same group must never be parted by a split.
    split : str
        "training", "tuning", "testing", or "" before splitting.
    source : str
        The cohort it came from.
    width, height : int
        In pixels; 0 where the file is unreadable.
    mode : str
        Pillow's mode; "" where the file is unreadable.
    flags : tuple of str
        Codes from `FLAGS`.
    tumour_type : str
        One of `TUMOUR_TYPES`; "" where it is unknown, or there is no tumour.
    """

    path: str
    sha256: str
    label: int
    group: str
    split: str = ""
    source: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    flags: tuple[str, ...] = ()
    tumour_type: str = ""

    @property
    def usable(self) -> bool:
        """True where the image can be read."""
        return "unreadable" not in self.flags


COLUMNS = tuple(field.name for field in fields(Row))
"""The last, tumour_type, is written only where an image has one."""

REQUIRED = ("path", "sha256", "label", "group")
_SHA256 = re.compile("[0-9a-f]{64}")
_PIXELS = re.compile("[0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows of a cohort, and the folder that relative paths start from."""

    rows: tuple[Row, ...]
    root: Path

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
        """Write as CSV, with paths made relative to its folder where the images lie below it."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns = COLUMNS if any(row.tumour_type for row in self.rows) else COLUMNS[:-1]
        writer.writerow(columns)
        for row in self.rows:
            values = {name: getattr(row, name) for name in columns}
            values["path"] = portable_path(self.file(row), path.parent)
            values["flags"] = ";".join(row.flags)
            writer.writerow(values.values())
        write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read and check a manifest.

        Columns other than path, sha256, label and group may be missing; further columns are
        ignored. Whether the images still exist and are unchanged is asked by `check_files`.

        Raises
        ------
        InputError
            If it cannot be read, lacks a column, or a value is none of those allowed; every
            message names the line.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"Cannot read the manifest {path}: {error}. Expected a CSV file in UTF-8, as "
                "written by `tumorscope audit DATA -o DIR`."
            ) from error
        reader = csv.DictReader(io.StringIO(text))
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(
                f"The manifest {path} lacks the columns {', '.join(missing)}; it has "
                f"{', '.join(reader.fieldnames or ()) or 'none'}. Expected at least "
                f"{', '.join(REQUIRED)}. Write one with `tumorscope audit DATA -o DIR`."
            )
        try:
            rows = [_parse(record, path, reader.line_num) for record in reader]
        except csv.Error as error:
            raise InputError(
                f"{path}, line {reader.line_num}: {error}. Expected a CSV file as written by "
                "`tumorscope audit`. Correct the line, or write the manifest again."
            ) from error
        if not rows:
            raise InputError(
                f"The manifest {path} has a header and no rows; expected one row per image. "
                "Write one with `tumorscope audit DATA -o DIR`."
            )
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
        return cls(tuple(rows), path.parent)

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
                    f"{_first(paths)}. Expected the files that were audited. Put them back, or "
                    "run `tumorscope audit` again to describe what is there now."
                )

    def parted_groups(self) -> list[str]:
        """Return the groups whose usable images lie in more than one split."""
        sides: dict[str, set[str]] = {}
        for row in self.usable.rows:
            sides.setdefault(row.group, set()).add(row.split)
        return [group for group, splits in sides.items() if len(splits) > 1]

    def check_groups(self) -> None:
        """Make sure that no group lies in two splits.

        Raises
        ------
        HonestyError
            If groups are parted, naming up to three of them.
        """
        parted = self.parted_groups()
        if parted:
            raise HonestyError(
                f"{len(parted)} groups lie in more than one split: {_first(parted)}. Images of a "
                "group are copies of one picture or one patient, so a model tested on them has "
                "seen the answer. Run `tumorscope split` to split by group."
            )


def portable_path(file: Path, folder: Path) -> str:
    """Return `file` relative to `folder` where it lies below it, else absolute."""
    # Not resolve(): a symbolic link in a cohort should keep the name that the user gave it.
    file, folder = file.absolute(), folder.absolute()
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def _parse(record: dict[str, str], manifest: Path, line: int) -> Row:
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
    )


def _first(names: list[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (" …" if len(names) > count else "")
