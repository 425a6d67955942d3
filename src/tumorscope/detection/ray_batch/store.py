"""Where the tables of a batch lie: a folder, or a place in an object store."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.common.errors import OutputError
from tumorscope.common.files import atomic_path
from tumorscope.detection.journal import Record
from tumorscope.detection.ray_batch.listing import address_of, file_system
from tumorscope.detection.tables import parquet_schema

RECORD = "batch.json"
"""What was asked, and the tables in the order of the list."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a table holds.

    Attributes
    ----------
    decisions : dict
        Decision → rows.
    seen : int
        Rows of images that are known from training.
    """

    decisions: dict[str, int]
    seen: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self.decisions.values())


@dataclass(frozen=True, slots=True)
class Store:
    """A place for tables; it can be sent to the workers.

    Attributes
    ----------
    place : str
        A folder that all workers share, or an address.
    """

    place: str

    @property
    def _address(self) -> str | None:
        return address_of(self.place)

    def names(self) -> set[str]:
        """Return the names of the files there; none where the place does not exist yet."""
        if self._address is None:
            folder = Path(self.place)
            # What a kill leaves of a file that was being written is hidden.
            names = (each.name for each in folder.iterdir()) if folder.is_dir() else ()
            return {name for name in names if not name.startswith(".")}
        system, root = file_system(self._address)
        try:
            return {str(each).rsplit("/", 1)[-1] for each in system.ls(root, detail=False)}
        except FileNotFoundError:
            return set()

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        if self._address is None:
            return (Path(self.place) / name).read_bytes()
        system, root = file_system(self._address)
        return bytes(system.cat_file(f"{root}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole, or not at all.

        Raises
        ------
        OutputError
            If that is not possible.
        """
        if self._address is None:
            with atomic_path(Path(self.place) / name) as temporary:
                temporary.write_bytes(data)
            return
        system, root = file_system(self._address)
        try:
            # Object stores show an object once it is whole.
            system.pipe_file(f"{root}/{name}", data)
        except OSError as error:
            raise OutputError(
                f"Cannot write {self._address}/{name}: {error}. Expected a place that you may "
                "write to."
            ) from error

    def remove(self, name: str) -> None:
        """Remove a file."""
        if self._address is None:
            (Path(self.place) / name).unlink(missing_ok=True)
            return
        system, root = file_system(self._address)
        system.rm_file(f"{root}/{name}")

    def write_table(self, name: str, rows: Sequence[Record]) -> Counts:
        """Write rows as Parquet, and return their counts.

        Those of decisions stand in the metadata of the table's schema too.
        """
        data = table_bytes(rows)
        self.write(name, data)
        return counts_of(data)


def table_bytes(rows: Sequence[Record]) -> bytes:
    """Return rows as a Parquet file, with the columns and types of every table of findings."""
    import pyarrow
    from pyarrow import parquet

    decisions: dict[str, int] = {}
    for row in rows:
        decision = str(row["decision"])
        decisions[decision] = decisions.get(decision, 0) + 1
    # A schema of its own: a column that is empty in one part would be of another type there.
    schema = parquet_schema()
    schema = schema.with_metadata({**schema.metadata, "decisions": json.dumps(decisions)})
    columns = [{name: row.get(name) for name in schema.names} for row in rows]
    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(columns, schema=schema), stream)
    return stream.getvalue()


def counts_of(data: bytes) -> Counts:
    """Return the counts of a table that `table_bytes` made.

    Raises
    ------
    ValueError
        If it is no such table, or damaged.
    """
    from pyarrow import parquet

    table = parquet.ParquetFile(io.BytesIO(data))
    kept = json.loads((table.metadata.metadata or {}).get(b"decisions", b"null"))
    if not isinstance(kept, dict) or sum(kept.values()) != table.metadata.num_rows:
        raise ValueError("its counts are not those of its rows")
    # From the column, which tables of former versions have too: they are kept, and counted alike.
    seen = table.read(columns=["seen"], use_threads=False).column("seen").to_pylist().count(True)
    return Counts({str(name): int(count) for name, count in kept.items()}, seen)
