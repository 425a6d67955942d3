"""`Row` ↔ the cells of a line in ``manifest.csv``: what each may hold, checked when it is read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from tumorscope.cohort.row import FLAGS, NO_TYPE, SPLITS, Row
from tumorscope.cohort.table import Form, Record
from tumorscope.common.classes import TUMOUR_TYPES
from tumorscope.common.errors import InputError

MANIFEST_COLUMNS = tuple(one.name for one in fields(Row) if one.name != "extra")
"""Those of `OPTIONAL` are written only where an image has something there."""

OPTIONAL = ("tumour_type", "picture", "mask")

REQUIRED = ("path", "sha256", "label", "group")

Cells = Mapping[str, str]

_SHA256 = re.compile("[0-9a-fA-F]{64}")
_PIXELS = re.compile("[0-9]{0,9}")


def _codes(cells: Cells) -> tuple[str, ...]:
    return tuple(flag for flag in cells["flags"].split(";") if flag)


_RULES: tuple[tuple[str, Callable[[Cells], object], str], ...] = (
    ("path", lambda cells: cells["path"] and "\0" not in cells["path"], "the path of an image"),
    ("label", lambda cells: cells["label"] in ("0", "1"), "1 (tumour) or 0 (no tumour)"),
    ("group", lambda cells: cells["group"], "a name (images that must stay together share it)"),
    (
        "split",
        lambda cells: cells["split"] in ("", *SPLITS),
        f"one of {', '.join(SPLITS)}, or nothing",
    ),
    (
        "flags",
        lambda cells: set(_codes(cells)) <= set(FLAGS),
        f"codes from {', '.join(FLAGS)}, joined by ;",
    ),
    (
        "sha256",
        lambda cells: "unreadable" in _codes(cells) or _SHA256.fullmatch(cells["sha256"]),
        "64 hexadecimal digits",
    ),
    (
        "tumour_type",
        lambda cells: cells["label"] == "0" or cells["tumour_type"].lower() in ("", *TUMOUR_TYPES),
        f"one of {', '.join(TUMOUR_TYPES)}, or nothing",
    ),
    (
        "tumour_type",
        lambda cells: cells["label"] == "1" or cells["tumour_type"].lower() in ("", NO_TYPE),
        "nothing, as the label is 0 (no tumour)",
    ),
    ("mask", lambda cells: "\0" not in cells["mask"], "the path of a mask, or nothing"),
    (
        "mask",
        lambda cells: cells["label"] == "1" or not cells["mask"],
        "nothing, as the label is 0 (no tumour), and a mask outlines a lesion",
    ),
    ("width", lambda cells: _PIXELS.fullmatch(cells["width"]), "a number of pixels"),
    ("height", lambda cells: _PIXELS.fullmatch(cells["height"]), "a number of pixels"),
)
"""Column, whether its cell is allowed, and what is; asked in this order."""


def row_of(record: Record, manifest: Path, line: int) -> Row:
    """Return the row that a line says.

    Raises
    ------
    InputError
        If a cell holds what it may not; the message names the line.
    """
    cells = {name: (record.get(name) or "").strip() for name in MANIFEST_COLUMNS}
    for name in ("path", "mask"):
        cells[name] = _place(record.get(name) or "", manifest)
    for column, allowed, expected in _RULES:
        if not allowed(cells):
            raise InputError(
                f"{manifest}, line {line}: {column} is {record.get(column)!r}; expected "
                f"{expected}. Correct the line, or write the manifest again with "
                "`tumorscope audit`."
            )
    kind = cells["tumour_type"].lower()
    return Row(
        path=cells["path"],
        sha256=cells["sha256"].lower(),
        label=int(cells["label"]),
        group=cells["group"],
        split=cells["split"],
        source=cells["source"],
        width=int(cells["width"] or 0),
        height=int(cells["height"] or 0),
        mode=cells["mode"],
        flags=_codes(cells),
        tumour_type="" if kind == NO_TYPE else kind,
        picture=cells["picture"],
        mask=cells["mask"],
        extra={
            name: cell or ""
            for name, cell in record.items()
            # "none" is how the user says it, so it is written again.
            if name not in MANIFEST_COLUMNS or (name == "tumour_type" and kind == NO_TYPE)
        },
    )


def _place(cell: str, manifest: Path) -> str:
    """Return a path without the spaces around it, unless a file is called so."""
    plain = cell.strip()
    return cell if cell != plain and os.path.lexists(manifest.parent / cell) else plain


def cells_of(row: Row, path: str, mask: str) -> dict[str, object]:
    """Return the cells of a row, its own columns included; the paths are as they are written."""
    return {
        **row.extra,
        **{name: getattr(row, name) or row.extra.get(name, "") for name in OPTIONAL},
        **{name: getattr(row, name) for name in MANIFEST_COLUMNS if name not in OPTIONAL},
        "path": path,
        "mask": mask,
        "flags": ";".join(row.flags),
    }


def check_flags_quoted(form: Form, records: list[tuple[int, Record]]) -> None:
    """Refuse flags joined by ; without quotes where ; separates cells: the second would be lost.

    Raises
    ------
    InputError
        If a flag stands in the cell after those of flags; the message names the line.
    """
    if form.delimiter != ";" or "flags" not in form.columns:
        return
    after = (*form.columns, "")[form.columns.index("flags") + 1]
    for line, record in records:
        if record.get(after) in FLAGS:
            raise InputError(
                f"{form.path}, line {line}: the flag {record[after]} stands in a cell of its own. "
                "Expected all flags of an image in one cell, in quotes where semicolons separate "
                'the cells: "disguised;colour". Put them in quotes.'
            )
