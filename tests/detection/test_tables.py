"""The same rows in three formats, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from pathlib import Path

import pytest

from tumorscope.common.errors import OutputError, UsageError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.tables import FINDING_COLUMNS, ROW_GROUP, cells, open_table

ROWS: list[dict[str, object]] = [
    {
        "path": 'a "quoted", name\nof two lines.jpg',
        "probability": 0.25,
        "decision": "no tumour",
        "reasons": "",
        "seen": False,
        "model": "tiny@0",
        "ms": 3.5,
    },
    {"path": "größe.png", "decision": "unreadable", "reasons": "unreadable: empty", "seen": True},
]


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    with open_table(path) as write:
        for row in rows:
            write(row)
    return path


def test_csv(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", ROWS)
    with path.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0]) == list(FINDING_COLUMNS)
    assert [row["path"] for row in found] == [row["path"] for row in ROWS]
    assert (found[0]["probability"], found[0]["seen"]) == ("0.25", "false")
    assert (found[1]["probability"], found[1]["seen"]) == ("", "true")


def test_json_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", ROWS)
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert found == [{name: row.get(name) for name in FINDING_COLUMNS} for row in ROWS]


def test_parquet_in_several_row_groups(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the parquet extra")
    many = [{**ROWS[0], "ms": float(number)} for number in range(ROW_GROUP + 5)] + ROWS[1:]
    table = parquet.read_table(written(tmp_path / "t.parquet", many))
    assert table.column_names == list(FINDING_COLUMNS)
    assert table.column("ms").to_pylist() == [*map(float, range(ROW_GROUP + 5)), None]
    assert table.column("seen").to_pylist()[-1] is True
    assert table.schema.metadata[b"notice"].decode() == RESEARCH_USE_ONLY
    assert parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == 2


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_table_that_is_broken_off_never_appears(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="needs the parquet extra")
    (tmp_path / name).write_bytes(b"the old one")
    with contextlib.suppress(ZeroDivisionError), open_table(tmp_path / name) as write:
        write({**ROWS[0], "ms": 1 / 0})
    assert (tmp_path / name).read_bytes() == b"the old one"
    assert len(list(tmp_path.iterdir())) == 1


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"\.csv, \.parquet, \.jsonl"),
        open_table(tmp_path / "t.xlsx"),
    ):
        pass


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with (
        pytest.raises(UsageError, match=r"install .*\[parquet\]"),
        open_table(tmp_path / "t.parquet"),
    ):
        pass


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError), open_table(tmp_path / "file" / "t.csv"):
        pass


def test_every_column_has_a_cell() -> None:
    assert len(cells({})) == len(FINDING_COLUMNS)
    assert set(cells({})) == {""}
