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
        records = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
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
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for record in records:
        cells = {n: guarded(v) if isinstance(v, str) else v for n, v in record.items()}
        writer.writerow(cells)
    write_text(path, text.getvalue())
