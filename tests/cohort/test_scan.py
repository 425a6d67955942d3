"""Class folders become rows; folders that are none are refused in words."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cohort.class_folders import label_of_folder
from tumorscope.cohort.scan import scan_folder
from tumorscope.cohort.sentences import on_scan
from tumorscope.common.errors import InputError


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("yes", 1),
        ("NO", 0),
        ("no_tumor", 0),
        ("notumor", 0),
        ("No Tumour", 0),
        ("Brain Tumor", None),
        ("glioma_tumor", 1),
        ("meningioma", 1),
        ("Healthy", 0),
        ("pituitary", 1),
        ("misc", None),
        ("non-tumor", 0),
        ("Tumour_Free", 0),
        ("without tumour", 0),
        ("no_glioma", None),
        ("no tumors", 0),
        ("NonTumor", 0),
        ("tumourless", 0),
        ("no_lesions", 0),
        ("Gliomas", 1),
        ("tumors", 1),
    ],
)
def test_folder_names_are_read_as_people_write_them(name: str, label: int | None) -> None:
    assert label_of_folder(name) == label


def test_rows_tell_what_the_headers_tell(tiny_cohort: Path) -> None:
    shutil.copy(tiny_cohort / "yes" / "yes0.png", tiny_cohort / "yes" / "photo.jpg")
    (tiny_cohort / "yes" / "torn.png").write_bytes(b"\x89PNG")
    (tiny_cohort / "yes" / ".hidden.png").write_bytes(b"")
    (tiny_cohort / "yes" / "notes.txt").write_text("not an image")
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tiny_cohort / "no" / "dot.png")
    manifest = scan_folder(tiny_cohort)
    rows = {row.path: row for row in manifest.rows}
    assert len(rows) == 15
    assert rows["yes/photo.jpg"].flags == ("disguised",)
    assert rows["yes/photo.jpg"].group == rows["yes/yes0.png"].group
    assert rows["yes/torn.png"].flags == ("unreadable",)
    assert rows["no/dot.png"].flags == ("tiny",)
    first = rows["yes/yes0.png"]
    assert (first.width, first.height, first.mode, first.label) == (96, 96, "L", 1)
    assert first.source == tiny_cohort.name
    assert len(manifest.usable) == 14


def test_the_same_name_in_both_classes_is_two_images(tiny_cohort: Path) -> None:
    shutil.copy(tiny_cohort / "no" / "no0.png", tiny_cohort / "no" / "yes0.png")
    paths = [row.path for row in scan_folder(tiny_cohort).rows]
    assert {"no/yes0.png", "yes/yes0.png"} <= set(paths)
    assert len(paths) == len(set(paths))


def test_a_loop_of_links_ends(tiny_cohort: Path) -> None:
    (tiny_cohort / "yes" / "again").symlink_to(tiny_cohort, target_is_directory=True)
    assert len(scan_folder(tiny_cohort)) == 12


def test_folders_that_are_none_are_refused(tiny_cohort: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="not a folder"):
        scan_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no class folders; found no folders"):
        scan_folder(empty)
    (empty / "cats").mkdir()
    with pytest.raises(InputError, match="found cats"):
        scan_folder(empty)
    (empty / "yes").mkdir()
    with pytest.raises(InputError, match="such a folder itself: give the one above"):
        scan_folder(empty / "yes")
    (empty / "yes" / "notes.txt").write_text("text")
    with pytest.raises(InputError, match="no images in them"):
        scan_folder(empty)
    (empty / "no").mkdir()
    for folder in ("yes", "no"):
        (empty / folder / "notes.jpg").write_text("text in disguise")
    with pytest.raises(InputError, match=r"None of the 2 image files .* can be read"):
        scan_folder(empty)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_that_is_not_utf8_is_refused_at_once(tiny_cohort: Path) -> None:
    (tiny_cohort / "yes" / "yes0.png").rename(tiny_cohort / "yes" / os.fsdecode(b"caf\xe9.png"))
    with pytest.raises(InputError, match=r"caf.xe9.png.* not UTF-8.* Rename it"):
        scan_folder(tiny_cohort)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.timeout(20)
def test_a_pipe_named_as_an_image_is_unreadable_and_not_waited_for(tiny_cohort: Path) -> None:
    os.mkfifo(tiny_cohort / "yes" / "pipe.png")
    flags = {row.path: row.flags for row in scan_folder(tiny_cohort).rows}
    assert flags["yes/pipe.png"] == ("unreadable",)


def test_one_class_is_taken_with_a_word(tiny_cohort: Path) -> None:
    shutil.rmtree(tiny_cohort / "no")
    manifest = scan_folder(tiny_cohort)
    assert set(manifest.labels) == {1}
    assert manifest.notes.only_class == "tumour"
    assert "one class (tumour)" in on_scan(manifest.notes)[-1]


def test_what_is_beside_the_classes_is_counted_by_reason(tiny_cohort: Path) -> None:
    image = tiny_cohort / "yes" / "yes0.png"
    for place in (
        "loose.png",
        "astrocytoma/deep/a.png",
        "astrocytoma/b.png",
        "Testing/yes/c.png",
        "masks/yes0.png",
        "yes/yes0_mask.png",
        "yes/.ipynb_checkpoints/yes0-checkpoint.png",
        "__MACOSX/yes/d.png",
    ):
        (tiny_cohort / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, tiny_cohort / place)
    for place in ("README.txt", "no/a.dcm", "no/b.nii.gz", "no/c.jp2", "no/d.heic", "no/e.npy"):
        (tiny_cohort / place).write_bytes(b"x")
    manifest = scan_folder(tiny_cohort)
    passed = manifest.notes.passed_over
    assert len(manifest) == 12
    assert passed.counts == {
        "unknown-class": 2,
        "nested-classes": 1,
        "outside-classes": 1,
        "format-not-read": 5,
        "mask": 2,
        "hidden": 2,
        "not-an-image": 1,
    }
    assert passed.scans == 9
    assert passed.paths("unknown-class") == ("astrocytoma/b.png", "astrocytoma/deep/a.png")
    words = " ".join(passed.words())
    for named in ("astrocytoma/: 2", "Testing/: 1", ".dcm: 1", ".nii.gz: 1", ".jp2: 1", ".heic: 1"):
        assert named in words


def test_joined_parts_keep_account_of_what_lies_beside_their_classes(tiny_cohort: Path) -> None:
    cohort = tiny_cohort.parent / "parts"
    shutil.copytree(tiny_cohort, cohort / "Training")
    shutil.copytree(tiny_cohort, cohort / "Testing")
    shutil.copytree(tiny_cohort / "yes", cohort / "Testing" / "astrocytoma")
    shutil.copytree(tiny_cohort / "yes", cohort / "elsewhere")
    shutil.copy(tiny_cohort / "yes" / "yes0.png", cohort / "Training")
    manifest = scan_folder(cohort)
    assert len(manifest) == 24
    assert manifest.notes.passed_over.counts == {"unknown-class": 12, "outside-classes": 1}


def test_class_folders_that_lie_too_deep_are_named(tiny_cohort: Path, tmp_path: Path) -> None:
    shutil.move(tiny_cohort, tmp_path / "a" / "b" / "c")
    with pytest.raises(InputError, match=r"b/c/no/no0\.png lies deeper"):
        scan_folder(tmp_path / "a")


@pytest.mark.parametrize(
    "inner",
    [
        "yes/unpacked/no",
        "yes/negative",
        "yes/P1/no_tumor",
        "no/glioma",
        "no/yes-extra",
        "no/P1/positive",
        "yes/normal slices",
        "yes/P3_no",
        "yes/no_tumour_slices",
        "yes/glioma/meningioma",
        "yes/nontumor slices",
        "yes/negatives",
        "yes/P1/slices_no_lesion",
        "no/positives",
        "Training/no/yes",
    ],
)
def test_folders_that_name_another_class_are_refused_by_name(
    tiny_cohort: Path, tmp_path: Path, inner: str
) -> None:
    if inner.startswith("Training"):
        shutil.move(tiny_cohort, tmp_path / "parts" / "Training")
        tiny_cohort = tmp_path / "parts"
    (tiny_cohort / inner).mkdir(parents=True)
    image = next(tiny_cohort.rglob("no0.png"))
    shutil.copy(image, tiny_cohort / inner / "a.png")
    with pytest.raises(
        InputError, match=f"below folders that name two classes.*{inner} \\(1 image\\)"
    ):
        scan_folder(tiny_cohort)


@pytest.mark.parametrize(
    ("inner", "label", "kind"),
    [
        ("yes/No_contrast", 1, ""),
        ("yes/no_mass_effect", 1, ""),
        ("yes/Meningiomas", 1, "meningioma"),
        ("yes/unpacked/yes", 1, ""),
        ("yes/glioma", 1, "glioma"),
        ("no/no_glioma", 0, ""),
        ("no/non-tumor", 0, ""),
        ("no/batch1/Normal", 0, ""),
    ],
)
def test_folders_that_agree_are_taken(tiny_cohort: Path, inner: str, label: int, kind: str) -> None:
    (tiny_cohort / inner).mkdir(parents=True)
    shutil.copy(tiny_cohort / "no" / "no0.png", tiny_cohort / inner / "no.png")
    row = next(row for row in scan_folder(tiny_cohort).rows if row.path == f"{inner}/no.png")
    assert (row.label, row.tumour_type) == (label, kind)


def test_numbered_folders_that_name_the_class_are_patients(tiny_cohort: Path) -> None:
    for side, name in (("yes", "tumor01"), ("yes", "tumor02"), ("no", "normal01")):
        (tiny_cohort / side / name).mkdir()
        for number in range(2):
            image = tiny_cohort / side / f"{side}{number + 2 * (name == 'tumor02')}.png"
            shutil.move(image, tiny_cohort / side / name)
    manifest = scan_folder(tiny_cohort)
    assert manifest.notes.patients == ("normal01", "tumor01", "tumor02")
    assert {row.group for row in manifest.rows if "tumor02" in row.path} == {"tumor02"}


def test_patient_folders_become_groups_and_others_do_not(tiny_cohort: Path) -> None:
    for number, name in enumerate(("P07/T1", "P08", "axial")):
        for side in ("yes", "no"):
            (tiny_cohort / side / name).mkdir(parents=True)
            shutil.move(tiny_cohort / side / f"{side}{number}.png", tiny_cohort / side / name)
    manifest = scan_folder(tiny_cohort)
    groups = {row.path: row.group for row in manifest.rows}
    assert groups["yes/P07/T1/yes0.png"] == groups["no/P07/T1/no0.png"] == "P07"
    assert groups["yes/P08/yes1.png"] == "P08"
    assert groups["yes/axial/yes2.png"] != groups["no/axial/no2.png"]
    assert manifest.notes.patients == ("P07", "P08")
    words = " ".join(on_scan(manifest.notes))
    assert "4 images lie in 2 folders that were taken for patients" in words
    assert "not taken for patients: axial" in words


def test_patients_above_the_classes_become_groups(tiny_cohort: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("sub-01", "sub-02")):
        for side in ("yes", "no"):
            (tmp_path / "people" / name / side).mkdir(parents=True)
            image = tiny_cohort / side / f"{side}{number}.png"
            shutil.move(image, tmp_path / "people" / name / side)
    assert set(scan_folder(tmp_path / "people").groups) == {"sub-01", "sub-02"}


def test_what_lies_beside_parts_is_counted_once_and_loops_of_links_are_no_scans(
    tiny_cohort: Path,
) -> None:
    cohort = tiny_cohort.parent / "parts"
    shutil.copytree(tiny_cohort, cohort / "Training")
    (cohort / "docs").mkdir()
    for name in ("a.dcm", "b.txt", ".hidden"):
        (cohort / "docs" / name).write_bytes(b"x")
    (cohort / "loop").symlink_to(cohort, target_is_directory=True)
    passed = scan_folder(cohort).notes.passed_over
    assert all(count == 1 for count in passed.counts.values())
    assert passed.scans == 1
