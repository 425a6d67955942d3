"""Names that a spreadsheet would compute become text in tables, and come back as they were."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.common.spreadsheets import guarded, unguarded


@given(st.one_of(st.text(), st.text(alphabet="'=+-@\t\r1a", max_size=6)))
def test_every_text_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["=1+2", "+1+2", "-1+2", "@A1", "\tx", "\r=1", "-x.png", "'=1"])
def test_what_would_be_computed_is_text(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "-", "-1", "-1.5e-3", "+inf", "a=b", "1-2", "'a'", "scan.png"]
)
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


def test_tables_of_ours_are_guarded_and_read_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("path", "score"), [{"path": "=1+2.png", "score": "-0.25"}])
    with (tmp_path / "t.csv").open() as stream:
        assert list(csv.reader(stream))[1] == ["'=1+2.png", "-0.25"]
    assert read_csv(tmp_path / "t.csv") == [{"path": "=1+2.png", "score": "-0.25"}]


def test_line_ends_within_names_stay_as_they_are(tmp_path: Path) -> None:
    names = ["cr\rx.png", "nl\nx.png", "both\r\nx.png", " lead.png", 'say "a".png']
    write_csv(tmp_path / "t.csv", ("path",), [{"path": name} for name in names])
    assert [record["path"] for record in read_csv(tmp_path / "t.csv")] == names
