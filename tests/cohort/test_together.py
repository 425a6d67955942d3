"""One picture is one group, whatever the column `group` says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.sentences import on_joins
from tumorscope.cohort.split import split
from tumorscope.cohort.together import both_labels
from tumorscope.common.errors import HonestyError


def row(name: str, group: str, *, sha: int, picture: str = "", label: int = 1) -> Row:
    return Row(name, f"{sha:064x}", label, group, picture=picture)


def test_the_same_bytes_and_the_same_picture_join_groups_into_one() -> None:
    rows = (
        row("a", "P1", sha=1),
        row("b", "P2", sha=1),
        row("c", "P3", sha=2, picture="x"),
        row("d", "P2", sha=3, picture="x"),
        row("e", "P4", sha=4),
    )
    cohort = Manifest(rows, Path())
    assert cohort.groups.tolist() == ["P1", "P1", "P1", "P1", "P4"]
    assert cohort.joined == (("P1", "P2", "P3"),)
    assert "3 groups were joined into 1" in on_joins(cohort.joined)
    # What the groups were called is not lost, and joining again changes nothing.
    assert [each.extra.get("group_given") for each in cohort.rows] == [None, "P2", "P3", "P2", None]
    assert cohort.having(cohort.rows).joined == cohort.joined


def test_names_that_people_gave_stay_before_those_of_an_audit() -> None:
    rows = (row("a", "0123456789ab", sha=1), row("b", "P7", sha=1))
    assert Manifest(rows, Path()).groups.tolist() == ["P7", "P7"]


def test_files_that_cannot_be_read_are_not_the_same_picture() -> None:
    rows = tuple(Row(name, "", 1, name, flags=("unreadable",)) for name in "ab")
    assert Manifest(rows, Path()).joined == ()


def test_splits_of_a_file_that_part_copies_are_refused_with_their_names(tmp_path: Path) -> None:
    lines = [f"{name}.png,{'1' * 64},1,P{name},{side}" for name, side in
             (("a", "training"), ("b", "testing"))]  # fmt: skip
    path = tmp_path / "m.csv"
    path.write_text("\n".join(["path,sha256,label,group,split", *lines, ""]))
    with pytest.raises(HonestyError, match=r"a.png in training, b.png in testing"):
        Manifest.load(path).check_groups()


def test_an_image_without_a_split_parts_no_group() -> None:
    rows = [replace(row("a", "g", sha=1), split="training"), row("b", "g", sha=2)]
    assert Manifest(tuple(rows), Path()).divided_groups() == []


def test_splitting_keeps_copies_together() -> None:
    rows = [
        row(f"{index}-{copy}", f"P{index}-{copy}", sha=index, label=index % 2)
        for index in range(40)
        for copy in range(2)
    ]
    done = split(Manifest(tuple(rows), Path("/nowhere")))
    sides = {(each.sha256, each.split) for each in done.rows}
    assert len(sides) == 40


def test_one_picture_with_both_labels_is_named() -> None:
    rows = (
        row("a", "P1", sha=1),
        row("b", "P2", sha=1, label=0),
        row("c", "P2", sha=3, picture="x", label=0),
        row("d", "P2", sha=4),
    )
    assert both_labels(rows) == [("a", "b")]
