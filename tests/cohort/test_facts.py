"""Counts of a cohort: each is of what its name says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tumorscope.cohort.facts import cohort_facts, split_counts
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row


def patients(count: int = 10, slices: int = 8) -> list[Row]:
    """Patients of several slices each, every slice another picture, as an audit lists them."""
    return [
        Row(f"{p}-{s}.png", f"{p:032x}{s:032x}", p % 2, f"P{p}", width=9, height=9, mode="L")
        for p in range(count)
        for s in range(slices)
    ]


def test_slices_of_one_patient_are_no_duplicates() -> None:
    facts = cohort_facts(Manifest(tuple(patients()), Path()))
    assert facts["images"] == "80 (40 tumour, 40 no tumour)"
    assert facts["groups (distinct pictures or patients)"] == "10"
    assert facts["images that share a group with another"] == "80"
    assert facts["exact duplicates"] == "0 files repeat another byte for byte"
    assert facts["near-duplicates"] == "0 images"
    assert "training" not in facts
    assert not any("duplicate" in name and value.startswith("70") for name, value in facts.items())


def test_copies_are_counted_as_the_manifest_knows_them() -> None:
    rows = patients()
    rows[1] = replace(rows[1], sha256=rows[0].sha256, flags=("exact-duplicate",))
    for index in (2, 3, 10):
        rows[index] = replace(rows[index], flags=("near-duplicate",), picture=f"x{index // 10}")
    facts = cohort_facts(Manifest(tuple(rows), Path()))
    assert facts["exact duplicates"] == "1 files repeat another byte for byte"
    assert facts["near-duplicates"] == "3 images show 2 pictures with other bytes as well"


def test_what_was_not_looked_for_is_not_told_as_none() -> None:
    rows = [replace(row, mode="", width=0, height=0) for row in patients()]
    assert cohort_facts(Manifest(tuple(rows), Path()))["near-duplicates"].startswith("not looked")


def test_without_its_column_of_flags_a_manifest_does_not_say_that_there_are_none(
    tmp_path: Path,
) -> None:
    Manifest(tuple(patients()), tmp_path).save(tmp_path / "m.csv")
    lines = [line.split(",") for line in (tmp_path / "m.csv").read_text().splitlines()]
    assert Manifest.load(tmp_path / "m.csv").audited
    place = lines[0].index("flags")
    text = "\n".join(",".join(line[:place] + line[place + 1 :]) for line in lines)
    (tmp_path / "m.csv").write_text(text + "\n")
    assert not Manifest.load(tmp_path / "m.csv").audited


def test_joined_groups_and_pictures_with_both_labels_are_told() -> None:
    rows = patients()
    rows[8] = replace(rows[8], sha256=rows[0].sha256)
    facts = cohort_facts(Manifest(tuple(rows), Path()))
    assert "P0 + P1" in facts["groups joined"]
    assert facts["pictures with both labels"] == "1 (0-0.png, 1-0.png)"


def test_images_without_a_split_have_a_name() -> None:
    rows = [replace(row, split="training" if row.label else "") for row in patients()]
    assert split_counts(rows) == {"training": 40, "without split": 40}
    facts = cohort_facts(Manifest(tuple(rows), Path()))
    assert facts["without split"] == "40 images, 5 groups, 0 tumour, used for nothing"
    assert "without split" not in cohort_facts(Manifest(tuple(rows), Path()), splits=False)
