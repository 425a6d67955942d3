"""Rows → CSV, Parquet or JSON lines, streamed: a table of any length takes little memory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.csv_files import csv_line
from tumorscope.common.errors import UsageError
from tumorscope.common.extras import require
from tumorscope.common.files import atomic_path
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.spreadsheets import guarded

if TYPE_CHECKING:
    import pyarrow

Values = Mapping[str, object]
"""Of one row, by column."""

Write = Callable[[Values], None]

FINDING_COLUMNS: dict[str, type] = {
    "path": str,
    "probability": float,
    "decision": str,
    "reasons": str,
    "seen": bool,
    "model": str,
    "ms": float,
    "operating_point": str,
    "threshold": float,
    "prediction_set": str,
    "distance": float,
    "logit": float,
    "sha256": str,
}
"""Name and type of every column, in order; a missing value is an empty cell or null."""

NESTED = "slices_looked_at"
"""What a line of JSON holds besides its columns, where a row has it: rows of a row."""

SUFFIXES = (".csv", ".parquet", ".jsonl")
ROW_GROUP = 4096


def check_suffix(path: Path) -> None:
    """Refuse a name that says nothing of the format, or one whose library is missing.

    Raises
    ------
    UsageError
        Before any work is done.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"Cannot tell the format of {path} from its name. Expected one that ends in "
            f"{', '.join(SUFFIXES)}."
        )
    if suffix == ".parquet":
        _require()  # not imported yet: it begins threads, which forks would not take along


@contextlib.contextmanager
def open_table(path: Path, *, columns: Mapping[str, type] = FINDING_COLUMNS) -> Iterator[Write]:
    """Give a function that adds a row; the table appears under its name once the block ends well.

    Parameters
    ----------
    path : Path
        Ends in .csv, .parquet or .jsonl.
    columns : mapping of str to type
        Names and types, in order.

    Raises
    ------
    OutputError
        If it cannot be written.
    UsageError
        If the format is unknown, or Parquet's library is not installed.
    """
    check_suffix(path)
    suffix = path.suffix.lower()
    with atomic_path(path) as temporary:
        if suffix == ".parquet":
            with _parquet(temporary, columns) as write:
                yield write
            return
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            if suffix == ".jsonl":
                yield lambda row: _write_line(stream.write, row, columns)
                return
            stream.write(csv_line(columns))

            def write_cells(row: Values) -> None:
                stream.write(csv_line(cells(row, columns)))

            yield write_cells


def cells(row: Values, columns: Mapping[str, type] = FINDING_COLUMNS) -> list[str]:
    """Return a row as text, one cell per column: true and false, empty where there is no value.

    Examples
    --------
    >>> cells({"path": "a.png", "probability": 0.25, "seen": False})[:5]
    ['a.png', '0.25', '', '', 'false']
    """
    return [_cell(row.get(name)) for name in columns]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else guarded(str(value))


def _write_line(write: Callable[[str], object], row: Values, columns: Mapping[str, type]) -> None:
    record = {name: row.get(name) for name in columns}
    if NESTED in row:
        record[NESTED] = row[NESTED]
    write(json.dumps(record, ensure_ascii=False) + "\n")


def parquet_schema(columns: Mapping[str, type] = FINDING_COLUMNS) -> pyarrow.Schema:
    """Return the schema of a Parquet table: a column that is empty throughout has its type too."""
    arrow = _pyarrow()
    types = {str: arrow.string(), float: arrow.float64(), bool: arrow.bool_()}
    types[int] = arrow.int64()
    return arrow.schema(
        [(name, types[kind]) for name, kind in columns.items()],
        metadata={"notice": RESEARCH_USE_ONLY},
    )


@contextlib.contextmanager
def _parquet(path: Path, columns: Mapping[str, type]) -> Iterator[Write]:
    arrow = _pyarrow()
    from pyarrow.parquet import ParquetWriter

    schema = parquet_schema(columns)
    waiting: list[dict[str, object]] = []
    with ParquetWriter(path, schema) as table:

        def flush() -> None:
            table.write_table(arrow.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

        def write(row: Values) -> None:
            waiting.append({name: row.get(name) for name in columns})
            if len(waiting) >= ROW_GROUP:
                flush()

        yield write
        flush()


def _require() -> None:
    require("parquet", to="write a table as Parquet rather than CSV or JSON lines")


def _pyarrow() -> pyarrow:
    _require()
    import pyarrow

    return pyarrow
