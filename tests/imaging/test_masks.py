"""Masks go with the image of their patient, not with any image of their name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.common.errors import InputError
from tumorscope.imaging.masks import pair_masks


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def pairs(folder: Path) -> dict[str, list[str]]:
    return {
        image.relative_to(folder).as_posix(): [
            mask.relative_to(folder).as_posix() for mask in masks
        ]
        for image, masks in pair_masks(folder).pairs
    }


def test_equal_names_in_two_patients_folders_stay_apart(tmp_path: Path) -> None:
    lay(tmp_path, *(f"P{n}/slice_1{end}.png" for n in (1, 2) for end in ("", "_mask")))
    assert pairs(tmp_path) == {
        "P1/slice_1.png": ["P1/slice_1_mask.png"],
        "P2/slice_1.png": ["P2/slice_1_mask.png"],
    }


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/P{}/1.png", "masks/P{}/1.png"),
        ("images/P{}/1.png", "masks/P{}/1_mask.png"),
        ("P{}/images/1.png", "P{}/masks/1.png"),
        ("P{}/1.png", "P{}/Masks/1.png"),
        ("P{}/1.png", "masks/P{}/1_seg.png"),
    ],
)
def test_trees_beside_each_other_are_paired_by_place(tmp_path: Path, image: str, mask: str) -> None:
    lay(tmp_path, *(each.format(n) for n in (1, 2) for each in (image, mask)))
    assert pairs(tmp_path) == {image.format(n): [mask.format(n)] for n in (1, 2)}


def test_a_mask_is_never_lent_to_another_patient(tmp_path: Path) -> None:
    lay(tmp_path, "P1/1.png", "P2/1_mask.png", "masks/P3/1.png", "P1/2.png")
    found = pair_masks(tmp_path)
    assert found.pairs == ()
    assert found.without_mask == (tmp_path / "P1/1.png", tmp_path / "P1/2.png")
    assert found.without_image == (tmp_path / "P2/1_mask.png", tmp_path / "masks/P3/1.png")


def test_flat_masks_go_to_the_only_image_of_their_name(tmp_path: Path) -> None:
    lay(tmp_path, "yes/1.png", "no/2.png", "masks/1.png")
    assert pairs(tmp_path) == {"yes/1.png": ["masks/1.png"]}
    lay(tmp_path, "no/1.png")
    with pytest.raises(InputError, match=r"masks/1\.png fits 2 images: .*no/1\.png.*yes/1\.png"):
        pair_masks(tmp_path)


def test_an_image_may_have_several_masks(tmp_path: Path) -> None:
    lay(tmp_path, "1.png", "1_mask.png", "1_mask_1.png")
    assert pairs(tmp_path) == {"1.png": ["1_mask.png", "1_mask_1.png"]}
