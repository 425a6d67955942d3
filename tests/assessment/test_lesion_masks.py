"""Outlines beside images: what is found, what is refused, what is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.assessment.lesion_masks import point_at_outlines, read_outlined
from tumorscope.common.errors import InputError
from tumorscope.model_file.onnx_file import read_model


@pytest.fixture
def outlined(tmp_path: Path) -> Path:
    """Bright squares, which are what the tiny model calls evidence, with masks elsewhere."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(6):
        pixels = np.full((64, 64), 60, np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        square = np.s_[8 * number : 8 * number + 16, 24:40]
        pixels[square], mask[square] = 250, 255
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}_mask.png")
    return tmp_path


def test_evidence_on_the_lesion_is_found_there(tiny_model: Path, outlined: Path) -> None:
    found = point_at_outlines(read_model(tiny_model), outlined)
    assert found.evidence.n == 6
    assert found.evidence.hits.value == 1.0
    assert found.chance.hits.value == pytest.approx(16 * 16 / 64**2)
    assert found.evidence.mass.value > 2 * found.chance.mass.value
    assert found.seen == 0


def test_images_without_lesions_are_passed_over(
    outlined: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(outlined / "masks" / "0_mask.png")
    (outlined / "masks" / "1_mask.png").unlink()
    assert len(list(read_outlined(outlined))) == 4
    said = capsys.readouterr().err
    assert "1 images have no mask: images/1.png" in said
    assert "1 images have masks that outline no lesion: images/0.png" in said


def test_equal_names_of_several_patients_keep_their_own_masks(outlined: Path) -> None:
    for number in range(2):
        folder = outlined / f"P{number}"
        folder.mkdir()
        (outlined / f"images/{number}.png").rename(folder / "slice.png")
        (outlined / f"masks/{number}_mask.png").rename(folder / "slice_mask.png")
    found = list(read_outlined(outlined))
    assert len(found) == 6
    assert all((scan.pixels[lesion] == 250).all() for scan, lesion in found)


def test_several_masks_of_an_image_are_one_lesion_each(outlined: Path) -> None:
    part = np.zeros((64, 64), np.uint8)
    part[60:, :4] = 255
    Image.fromarray(part).save(outlined / "masks" / "0_mask_2.png")
    first = next(lesion for _, lesion in read_outlined(outlined))
    assert first.sum() == 16 * 16 + 16


def test_masks_of_another_size_and_too_few_are_refused(tiny_model: Path, outlined: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(outlined / "masks" / "3_mask.png")
    with pytest.raises(InputError, match=r"3_mask\.png"):
        list(read_outlined(outlined))
    with pytest.raises(InputError, match="Found 0 images"):
        point_at_outlines(read_model(tiny_model), outlined / "images")
