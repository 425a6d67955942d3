"""Tables that people edit: CSV as spreadsheets, scripts and shells write it, read without loss.

What a spreadsheet chose (semicolons or tabs, UTF-16, a byte order mark, line ends, the order of
columns) is kept as a `Form`, so that a file that is changed in place stays what it was.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.files import atomic_path
from tumorscope.common.spreadsheets import guarded, unguarded
from tumorscope.common.text import SAVE_AS_UTF8, NotTextError, decode_text, encoding_of

FROM_NAMES = frozenset({"group", "mask", "path", "source"})
"""Columns whose cells come from names of files and folders, which may look like formulas."""

DELIMITERS = (",", ";", "\t")

Record = dict[str, str | None]
"""Column → cell; None where the line ends before it."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a table is written.

    Attributes
    ----------
    columns : tuple of str
        Names, in their order; none for a table that was not read from a file.
    delimiter : str
        Between cells.
    encoding : str
        As Python names it.
    mark : bytes
        The byte order mark that it begins with, if any.
    line_end : str
        After each record.
    announced : bool
        Whether the first line is ``sep=;``, as Excel understands it.
    path : Path or None
        The file it was read from.
    """

    columns: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    mark: bytes = b""
    line_end: str = "\n"
    announced: bool = False
    path: Path | None = None

    def is_of(self, path: Path) -> bool:
        """Return whether the table was read from the file at `path`."""
        try:
            return self.path is not None and path.samefile(self.path)
        except OSError:
            return False


def read_table(
    path: Path, *, required: Sequence[str], what: str, advice: str
) -> tuple[Form, list[tuple[int, Record]]]:
    """Read a table with commas, semicolons or tabs, in UTF-8 or UTF-16.

    A column without a name is kept where it is the only one; those that are empty are dropped,
    and so are empty lines, as spreadsheets add them.

    Parameters
    ----------
    path : Path
        The file.
    required : sequence of str
        Columns that it must have; they tell which character separates the cells.
    what : str
        What the table is, for messages: "manifest".
    advice : str
        Where to get one, for messages: a sentence.

    Returns
    -------
    tuple
        The form, and each record with the number of its last line.

    Raises
    ------
    InputError
        If it cannot be read, lacks a column, or names one twice.
    """
    text, encoding, mark = _decoded(path, what, advice)
    line_end = "\r\n" if "\r\n" in text[: text.find("\n") + 1] else "\n"
    announced = text[:4].lower() == "sep=" and text[5:6] in ("\r", "\n")
    body = text[5:].lstrip("\r\n") if announced else text
    delimiter = text[4] if announced else _delimiter(body, required)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num + announced, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: {error}. Expected a CSV file as written by "
            f"`tumorscope audit`. Correct the line. {advice}"
        ) from error
    header = _names(lines[0][1]) if lines else []
    missing = [name for name in required if name not in header]
    if missing:
        raise InputError(
            f"The {what} {path} lacks the columns {', '.join(missing)}; it has "
            f"{', '.join(header) or 'none'}. Expected at least {', '.join(required)}, separated "
            f"by commas, semicolons or tabs. {advice}"
        )
    columns, records = _records(path, header, lines[1:])
    return Form(columns, delimiter, encoding, mark, line_end, announced, path), records


def write_table(
    path: Path,
    columns: Sequence[str],
    records: Iterable[Mapping[str, object]],
    *,
    form: Form | None = None,
) -> None:
    """Write records, whole or not at all: in a given form, else with commas in UTF-8."""
    form = form or Form()
    # One record at a time, so that csv quotes every kind of line end, whichever is written.
    cell = io.StringIO(newline="")
    writer = csv.writer(cell, delimiter=form.delimiter, lineterminator="\r\n")
    lines = [f"sep={form.delimiter}"] if form.announced else []
    for values in (columns, *([_cell(record, name) for name in columns] for record in records)):
        cell.seek(0)
        cell.truncate()
        writer.writerow(values)
        lines.append(cell.getvalue().removesuffix("\r\n"))
    text = form.line_end.join((*lines, ""))
    with atomic_path(path) as temporary:
        temporary.write_bytes(form.mark + text.encode(form.encoding))


def _cell(record: Mapping[str, object], name: str) -> object:
    value = record.get(name, "")
    return guarded(value) if name in FROM_NAMES and isinstance(value, str) else value


def _decoded(path: Path, what: str, advice: str) -> tuple[str, str, bytes]:
    if path.is_dir():
        raise InputError(
            f"{path} is a folder; expected the {what}, a CSV file. {advice} Give that file."
        )
    try:
        data = path.read_bytes()
        text = decode_text(data)
    except (OSError, NotTextError) as error:
        reason: object = error.strerror or error if isinstance(error, OSError) else error
        if isinstance(error, NotTextError):
            advice = f"{SAVE_AS_UTF8}; a spreadsheet calls it “CSV UTF-8”. {advice}"
        raise InputError(
            f"Cannot read the {what} {path}: {reason}. Expected a CSV file in UTF-8 or UTF-16. "
            f"{advice}"
        ) from error
    mark, encoding = encoding_of(data)
    return text, encoding, mark


def _delimiter(text: str, required: Sequence[str]) -> str:
    def found(delimiter: str) -> int:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        return len({name.strip() for name in first} & set(required))

    try:
        return max(DELIMITERS, key=found)
    except csv.Error:
        return DELIMITERS[0]  # reading it all shows what is wrong


def _names(cells: Sequence[str]) -> list[str]:
    return [name.strip() for name in cells]


def _records(
    path: Path, header: list[str], lines: Sequence[tuple[int, list[str]]]
) -> tuple[tuple[str, ...], list[tuple[int, Record]]]:
    """Return the names of columns that hold something, and the records under them."""
    width = max((len(cells) for _, cells in lines), default=0)
    names = header + [""] * (width - len(header))
    filled = {index for _, cells in lines for index, cell in enumerate(cells) if cell}
    kept = [index for index, name in enumerate(names) if name or index in filled]
    counts = Counter(names[index] for index in kept)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        which = ", ".join(f"{name!r}" if name else "without a name" for name in twice)
        long = next((number for number, cells in lines if len(cells) > len(header)), None)
        raise InputError(
            f"{path} has several columns {which}, so what they hold cannot be told apart"
            + (f"; line {long} has more cells than the header has names" if long else "")
            + ". Expected one name for each column. Name them, or remove what is not needed; a "
            "cell that holds the delimiter stands in quotes."
        )
    return tuple(names[index] for index in kept), [
        (number, {names[index]: _value(names[index], index, cells) for index in kept})
        for number, cells in lines
    ]


def _value(name: str, index: int, cells: list[str]) -> str | None:
    value = cells[index] if index < len(cells) else None
    return unguarded(value) if value is not None and name in FROM_NAMES else value
