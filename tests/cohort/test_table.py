"""Tables as spreadsheets and scripts write them: read without loss, written back as they were."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import split
from tumorscope.cohort.table import Form, read_table, write_table
from tumorscope.common.errors import InputError

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


def manifest_text(delimiter: str = ",", line_end: str = "\n", rows: int = 12) -> str:
    """A manifest with columns of the user's own, in front, between and behind."""
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    table.writerow(["age", "path", "sha256", "scanner, site", "label", "group", "flags", "remark"])
    for index in range(rows):
        flags = "colour;tiny" if index == 0 else ""
        remark = f'said "yes", then\r\nleft; {index}'
        row = [f"4{index},5", f"{index}.png", f"{index:064x}", "3 T", index % 2, index, flags]
        table.writerow([*row, remark])
    return text.getvalue()


def read(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    first = text.splitlines()[0]
    delimiter = next(one for one in ";\t," if one in first.replace("scanner, site", ""))
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_splitting_in_place_changes_the_split_and_nothing_else(
    tmp_path: Path, delimiter: str, encoding: str, line_end: str
) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(manifest_text(delimiter, line_end).encode(encoding))
    before = read(path)
    cohort = split(Manifest.load(path))
    assert cohort.rows[0].flags == ("colour", "tiny")
    cohort.save(path)
    after = read(path)
    width = len(before[0])
    assert [line[:width] for line in after] == before
    assert after[0][width:] == ["split", "source", "width", "height", "mode"]
    assert {line[width] for line in after[1:]} == {"training", "tuning", "testing"}
    # The form is that of the file: what opened it before opens it again.
    assert path.read_bytes()[:3] == manifest_text(delimiter).encode(encoding)[:3]
    assert (b"\r\n" if encoding != "utf-16" else b"\r\0\n\0") in path.read_bytes()
    ends = path.read_bytes().decode(encoding).endswith("\r\n")
    assert ends == (line_end == "\r\n")
    cohort.save(tmp_path / "run" / "manifest.csv")
    header = (tmp_path / "run" / "manifest.csv").read_text("utf-8").splitlines()[0]
    assert header.startswith('age,path,sha256,"scanner, site",label')


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.sampled_from(",;\t"))
def test_every_cell_survives(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], delimiter: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "table.csv"
    records = [{"path": f"{number}", "a": a, "b": b} for number, (a, b) in enumerate(cells)]
    write_table(path, ("path", "a", "b"), records, form=Form(delimiter=delimiter))
    form, read = read_table(path, required=("path",), what="table", advice="")
    assert form.delimiter == delimiter
    assert [record for _, record in read] == records


def test_a_line_that_announces_the_delimiter_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("sep=;\n" + manifest_text(";"), newline="")
    Manifest.load(path).save(path)
    assert path.read_text().startswith("sep=;\nage;path;")
    assert len(Manifest.load(path)) == 12


def test_what_spreadsheets_add_is_dropped_and_a_column_without_a_name_is_kept(
    tmp_path: Path,
) -> None:
    lines = manifest_text(rows=4).replace("\r\n", " ").splitlines()
    padded = [f"{number},{line},," for number, line in enumerate(lines)]
    padded[0] = padded[0].removeprefix("0")  # as pandas writes its index
    path = tmp_path / "m.csv"
    path.write_text("\n".join([*padded, ",,,,,,,,,,", ""]))
    cohort = Manifest.load(path)
    assert len(cohort) == 4
    assert cohort.form.columns[0] == ""
    assert cohort.rows[2].extra[""] == "3"


@pytest.mark.parametrize(
    ("header", "cells", "words"),
    [
        ("path,sha256,label,group,age,age", "a,{},1,g,3,4", "several columns 'age'"),
        ("path,sha256,label,group,label", "a,{},1,g,0", "several columns 'label'"),
        ("path,sha256,label,group,,", "a,{},1,g,3,4", "several columns without a name"),
        ("path,sha256,label,group", "a,{},1,g,3,4", "line 2 has more cells"),
        ("path;sha256;label;group;flags", "a;{};1;g;colour;tiny", "the flag tiny stands in a cell"),
        ("path;sha256;label;group;flags;age", "a;{};1;g;colour;tiny;4", "the flag tiny stands"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    tmp_path: Path, header: str, cells: str, words: str
) -> None:
    (tmp_path / "m.csv").write_text(f"{header}\n{cells.format('0' * 64)}\n")
    with pytest.raises(InputError, match=words):
        Manifest.load(tmp_path / "m.csv")
