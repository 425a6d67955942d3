"""One rule for what is an image in a folder, and an account of everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tumorscope.imaging.find import image_of_mask, images_below
from tumorscope.imaging.passed_over import REASONS, PassedOver


def put(path: Path, content: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def found(folder: Path, passed: PassedOver | None = None, *, masks: bool = False) -> list[str]:
    paths = images_below(folder, passed=passed, masks=masks)
    return [path.relative_to(folder).as_posix() for path in paths]


@pytest.mark.parametrize(
    "place",
    [
        ".hidden.png",
        "a/.ipynb_checkpoints/a.png",
        "__MACOSX/a.png",
        "a/@eaDir/a.png",
        "$RECYCLE.BIN/a.png",
        "a/._a.png",
        "Thumbs.db",
    ],
)
def test_hidden_files_and_what_systems_leave_are_no_images(tmp_path: Path, place: str) -> None:
    put(tmp_path / "a/a.png")
    put(tmp_path / place)
    passed = PassedOver(root=tmp_path)
    assert found(tmp_path, passed) == found(tmp_path) == ["a/a.png"]
    assert passed.paths("hidden") == (place,)
    assert passed.scans == 0


def test_a_hidden_folder_counts_its_images_or_once(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    for name in ("1.png", "deep/2.jpg", "notes.txt"):
        put(tmp_path / ".cache" / name)
    put(tmp_path / ".git" / "config")
    passed = PassedOver(root=tmp_path)
    found(tmp_path, passed)
    assert passed.paths("hidden") == (".cache/1.png", ".cache/deep/2.jpg", ".git")


def test_a_hidden_folder_that_is_named_is_searched(tmp_path: Path) -> None:
    put(tmp_path / ".data/a.png")
    assert found(tmp_path / ".data") == ["a.png"]


def test_files_are_told_by_ending_and_by_content(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "a.dcm")
    put(tmp_path / "b.nii.gz")
    put(tmp_path / "IM0001", b"\0" * 128 + b"DICM")
    put(tmp_path / "1.2.840.113", b"\0" * 128 + b"DICM")
    put(tmp_path / "notes.txt", b"\xff\xd8\xff")
    put(tmp_path / "Makefile")
    put(tmp_path / "data.tar.gz")
    Image.new("L", (8, 8)).save(tmp_path / "scan", format="JPEG")
    Image.new("L", (8, 8)).save(tmp_path / "scan.jpg_large", format="WEBP")
    passed = PassedOver(root=tmp_path)
    assert found(tmp_path, passed) == ["a.png"]
    assert {reason: sorted(passed.paths(reason)) for reason in passed.counts} == {
        "format-not-read": ["1.2.840.113", "IM0001", "a.dcm", "b.nii.gz"],
        "no-image-ending": ["scan", "scan.jpg_large"],
        "not-an-image": ["Makefile", "data.tar.gz", "notes.txt"],
    }
    assert passed.scans == 6


def test_masks_are_no_images_and_one_without_its_image_is_named(tmp_path: Path) -> None:
    for name in ("1.tif", "1_mask.tif", "2_mask.tif", "3 (1).png", "3 (1)_mask_1.png", "4-Seg.png"):
        put(tmp_path / "P1" / name)
    put(tmp_path / "P1/4.jpg")
    put(tmp_path / "P2/2.tif")
    put(tmp_path / "masks/P2/2.tif")
    passed = PassedOver(root=tmp_path)
    assert found(tmp_path, passed) == [
        "P1/1.tif",
        "P1/3 (1).png",
        "P1/4.jpg",
        "P2/2.tif",
    ]
    assert sorted(passed.paths("mask")) == [
        "P1/1_mask.tif",
        "P1/3 (1)_mask_1.png",
        "P1/4-Seg.png",
        "masks/P2/2.tif",
    ]
    # Its image lies elsewhere, or it is a scan of that name: a person is asked.
    assert (passed.paths("mask-alone"), passed.scans) == (("P1/2_mask.tif",), 1)
    assert len(found(tmp_path, masks=True)) == 9
    assert image_of_mask("unmask") is None


def test_links_to_folders_count_as_scans_only_where_they_lead_out(tmp_path: Path) -> None:
    put(tmp_path / "in/a.png")
    put(tmp_path / "out/b.png")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in", target_is_directory=True)
    passed = PassedOver()
    assert found(tmp_path / "in", passed) == ["a.png"]
    assert (passed.counts, passed.scans) == ({"linked-folder": 1}, 0)
    (tmp_path / "in/more").symlink_to(tmp_path / "out", target_is_directory=True)
    passed = PassedOver()
    assert found(tmp_path / "in", passed) == ["a.png"]
    assert (passed.counts, passed.scans) == ({"linked-folder": 2}, 1)


def test_an_account_survives_json_and_keeps_few_paths_where_told() -> None:
    passed = PassedOver(keep=2)
    for number in range(5):
        passed.add("unknown-class", f"glia/{number}.png", kind="glia/", scan=True)
    passed.add("hidden", ".x")
    again = PassedOver.from_json(passed.to_json())
    assert again.to_json() == passed.to_json()
    assert again.words() == passed.words()
    assert (len(again), again.scans) == (6, 5)
    assert again.paths("unknown-class") == ("glia/0.png", "glia/1.png")
    assert len(PassedOver.from_json(None)) == 0


def test_every_reason_has_words() -> None:
    for reason in REASONS:
        passed = PassedOver()
        passed.add(reason, "x", scan=True)
        begin = f"Left out: 1 {REASONS[reason][0]}, such as x."
        if reason == "folder-without-images":
            begin = "No images in x."
        assert passed.words()[0].startswith(begin)
