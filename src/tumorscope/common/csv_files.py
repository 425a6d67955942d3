"""CSV files of our own: written whole, read back with one clear error."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.files import write_text


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the records of a CSV file of ours.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read {path}: {error}. Expected a file that tumorscope wrote. Run the command "
            "that makes it again."
        ) from error


def write_csv(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, object]]) -> None:
    """Write records as CSV, whole or not at all; a missing value is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_text(path, text.getvalue())
