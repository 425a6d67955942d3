"""Class folders become rows; folders that are none are refused in words."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cohort.scan import label_of_folder, scan_folder
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
    (empty / "yes" / "notes.txt").write_text("text")
    with pytest.raises(InputError, match="no images in them"):
        scan_folder(empty)
    (empty / "no").mkdir()
    for folder in ("yes", "no"):
        (empty / folder / "notes.jpg").write_text("text in disguise")
    with pytest.raises(InputError, match=r"None of the 2 image files .* can be read"):
        scan_folder(empty)
    shutil.rmtree(tiny_cohort / "no")
    with pytest.raises(InputError, match="one class only"):
        scan_folder(tiny_cohort)


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
