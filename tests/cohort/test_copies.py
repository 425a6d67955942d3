"""Near-duplicates: the manifest says what they repeat; where it does not, the images are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.fixtures.audits import audit

from tumorscope.auditing.sentences import on_audit
from tumorscope.cohort.copies import settle_copies, unattributed
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.overwriting import protect_edits
from tumorscope.common.errors import InputError, UsageError

Head = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def cohort(head: Head, tmp_path: Path) -> Path:
    """Two heads in each class; each has a copy in another format and one with the same bytes."""
    for number in range(4):
        folder = tmp_path / "scans" / ("yes" if number % 2 else "no")
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(head(number))
        image.save(folder / f"{number}.png")
        image.save(folder / f"{number}-again.png")
        image.save(folder / f"{number}-jpeg.jpg", quality=90)
    return tmp_path / "scans"


def named_after_patients(path: Path, *, without: tuple[str, ...] = ()) -> Manifest:
    """The manifest as a person would change it: every image a patient of its own."""
    given = Manifest.load(path)
    rows = [
        replace(row, group=f"P{number}", **dict.fromkeys(without, ""), extra={})
        for number, row in enumerate(given.rows)
    ]
    return given.having(rows)


def test_an_audit_writes_which_images_are_one_picture(cohort: Path, tmp_path: Path) -> None:
    audit(cohort, probes=False, output=tmp_path / "audit")
    loaded = Manifest.load(tmp_path / "audit" / "manifest.csv")
    pictures = {row.path.split("/")[-1][0]: row.picture for row in loaded.rows}
    assert len(set(pictures.values())) == 4
    assert all(row.picture == pictures[row.path.split("/")[-1][0]] for row in loaded.rows)
    # What people rename is joined again, and their first name stays.
    renamed = named_after_patients(tmp_path / "audit" / "manifest.csv")
    assert settle_copies(renamed) == renamed
    assert len(set(renamed.groups.tolist())) == 4
    assert set(renamed.groups.tolist()) <= {f"P{number}" for number in range(12)}


def test_without_the_column_the_images_are_compared(cohort: Path, tmp_path: Path) -> None:
    audit(cohort, probes=False, output=tmp_path / "audit")
    path = tmp_path / "audit" / "manifest.csv"
    assert unattributed(Manifest.load(path)) == []
    former = Manifest.load(path)
    former = former.having(replace(row, picture="") for row in former.rows)
    assert unattributed(former) == []  # the audit's own groups say it
    renamed = named_after_patients(path, without=("picture",))
    assert len(set(renamed.groups.tolist())) == 8  # joined by their bytes alone
    assert len(unattributed(renamed)) == 12
    settled = settle_copies(renamed)
    assert len(set(settled.groups.tolist())) == 4
    assert unattributed(settled) == []
    for file in cohort.glob("*/*.jpg"):
        file.unlink()
    with pytest.raises(InputError, match=r"12 images .* nothing in it says of which .* 4 of 12"):
        settle_copies(renamed)


def test_patients_who_share_a_picture_are_joined_by_an_audit_and_named(
    cohort: Path, tmp_path: Path
) -> None:
    audit(cohort, probes=False, output=tmp_path / "first")
    renamed = named_after_patients(tmp_path / "first/manifest.csv", without=("picture", "flags"))
    renamed = renamed.having(replace(row, flags=()) for row in renamed.rows)
    assert len(set(renamed.groups.tolist())) == 8
    found = audit(renamed, probes=False)
    assert len(found.groups) == 4
    assert len(found.to_json()["groups_joined"]) == 8  # by their bytes when read, then by looking
    assert any("group_given" in row.extra for row in found.manifest.rows)


def test_splits_that_part_copies_are_told_by_an_audit(cohort: Path, tmp_path: Path) -> None:
    audit(cohort, probes=False, output=tmp_path / "audit")
    renamed = named_after_patients(tmp_path / "audit" / "manifest.csv", without=("picture",))
    given = renamed.having(
        replace(row, split="testing" if "jpeg" in row.path else "training") for row in renamed.rows
    )
    assert given.divided_groups() == []
    found = audit(given, probes=False)
    assert len(found.to_json()["groups_parted"]) == 4
    assert any("4 groups lie in more than one split" in line for line in on_audit(found))


def test_a_file_that_was_given_is_not_overwritten_by_a_part_of_it(
    cohort: Path, tmp_path: Path
) -> None:
    path = tmp_path / "audit" / "manifest.csv"
    audit(cohort, probes=False, output=path.parent)
    given = Manifest.load(path)
    protect_edits(given, path)
    with pytest.raises(UsageError, match="was given as the cohort"):
        protect_edits(given, path, whole=False)
    protect_edits(given, tmp_path / "elsewhere" / "manifest.csv", whole=False)


def test_an_audit_does_not_overwrite_what_people_wrote(cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit" / "manifest.csv"
    audit(cohort, probes=False, output=path.parent)
    audit(cohort, probes=False, output=path.parent)  # nothing would be lost
    plain = path.read_text("utf-8").splitlines()
    for what, text in {
        "the columns age": [plain[0] + ",age", *(line + ",47" for line in plain[1:])],
        "splits": [plain[0], plain[1].replace(",,scans", ",training,scans"), *plain[2:]],
        "groups that you named": [plain[0], plain[1].replace(",,scans", "P1,,scans"), *plain[2:]],
        "labels, types or sources": [plain[0], plain[1].replace(",0,", ",1,"), *plain[2:]],
    }.items():
        path.write_text("\n".join([*text, ""]), encoding="utf-8")
        with pytest.raises(UsageError, match=what):
            audit(cohort, probes=False, output=path.parent)
        assert path.read_text("utf-8").splitlines() == text
        kept = audit(path, probes=False, output=path.parent).manifest
        assert ("age" in kept.form.columns) == (what == "the columns age")
