"""CSV files of our own: written whole, read back with one clear error."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.files import write_text
from tumorscope.common.spreadsheets import guarded, unguarded


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the records of a CSV file of ours.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        # As it stands: line ends within names are not to be changed.
        text = io.StringIO(path.read_bytes().decode(), newline="")
        records = list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read {path}: {error}. Expected a file that tumorscope wrote. Run the command "
            "that makes it again."
        ) from error
    for record in records:
        for name, value in record.items():
            if isinstance(value, str):
                record[name] = unguarded(value)
    return records


def write_csv(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, object]]) -> None:
    """Write records as CSV, whole or not at all; a missing value is an empty cell.

    Texts that a spreadsheet would compute are guarded, see `tumorscope.common.spreadsheets`.
    """
    lines = [csv_line(columns)]
    for record in records:
        cells = (record.get(name, "") for name in columns)
        lines.append(csv_line([guarded(v) if isinstance(v, str) else v for v in cells]))
    write_text(path, "".join(lines))


def csv_line(values: Iterable[object]) -> str:
    r"""Return one record of a CSV file, with its line feed.

    Examples
    --------
    >>> csv_line(["a.png", 0.5, "two\rlines"])
    'a.png,0.5,"two\rlines"\n'
    """
    cell = io.StringIO(newline="")
    # With this end, csv quotes every kind of line end within a cell; with "\n", not "\r".
    csv.writer(cell, lineterminator="\r\n").writerow(values)
    return cell.getvalue().removesuffix("\r\n") + "\n"
