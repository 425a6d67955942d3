"""Outlines beside images: what is found, what is refused, what is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.assessment import ask, lesion_masks
from tumorscope.assessment.lesion_masks import (
    point_at_masks,
    point_at_outlines,
    read_outlined,
)
from tumorscope.assessment.measured import measure
from tumorscope.assessment.subject import Scored, Subject, images_for, subject_of
from tumorscope.cohort.scan import scan_folder
from tumorscope.common.errors import InputError
from tumorscope.imaging.read import Opened, open_image
from tumorscope.model_file.onnx_file import read_model
from tumorscope.statistics.pointing_game import Pointing


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


@pytest.fixture
def cohort(outlined: Path) -> Path:
    """The same squares as tumours, whose masks a scan finds, and images without."""
    (outlined / "images").rename(outlined / "yes")
    (outlined / "no").mkdir()
    for number in range(4):
        pixels = np.full((64, 64), 40 + 10 * number, np.uint8)
        Image.fromarray(pixels).save(outlined / "no" / f"{number + 6}.png")
    return outlined


def test_masks_that_a_manifest_names_are_measured_by_group(tiny_model: Path, cohort: Path) -> None:
    model, manifest = read_model(tiny_model), scan_folder(cohort)
    found = point_at_masks(model, manifest)
    assert found is not None
    beside = point_at_outlines(model, cohort)
    assert found.evidence == beside.evidence
    assert found.chance == beside.chance
    few = manifest.having(row for row in manifest.rows if row.path in ("yes/0.png", "no/6.png"))
    assert point_at_masks(model, few) is None
    of_one_patient = replace(
        manifest, rows=tuple(replace(row, group="a patient") for row in manifest.rows)
    )
    assert point_at_masks(model, of_one_patient) is None


def pointing_of(subject: Subject, images: Scored) -> Pointing | None:
    said = measure(subject, images, operating_point="balanced").said
    assert said is not None
    return said.pointing


def test_an_evaluation_measures_where_the_evidence_lies(tiny_model: Path, cohort: Path) -> None:
    subject = subject_of(tiny_model)
    pointing = pointing_of(subject, images_for(subject, cohort))
    assert pointing is not None
    assert (pointing.evidence.n, pointing.evidence.hits.value) == (6, 1.0)
    for mask in (cohort / "masks").iterdir():
        mask.unlink()
    without = images_for(subject, cohort)
    assert pointing_of(subject, without) is None


def test_masks_that_are_gone_do_not_stop_an_evaluation(
    tiny_model: Path, cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = scan_folder(cohort)
    # As somebody writes it by hand: a manifest need not name sizes.
    found.having(replace(row, width=0, height=0) for row in found.rows).save(cohort / "mine.csv")
    (cohort / "masks" / "0_mask.png").unlink()
    subject = subject_of(tiny_model)
    listed = images_for(subject, cohort / "mine.csv")
    pointing = pointing_of(subject, listed)
    assert pointing is not None
    assert pointing.evidence.n == 5
    said = capsys.readouterr().err
    assert "1 of 6 masks cannot be used: that of yes/0.png (there is no such file)" in said


def test_an_evaluation_reads_images_once_and_says_the_same(
    tiny_model: Path, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, manifest = read_model(tiny_model), scan_folder(cohort)
    read: list[Path] = []

    def counted(path: Path) -> Opened:
        read.append(path)
        return open_image(path)

    monkeypatch.setattr(ask, "open_image", counted)
    said = ask.ask_cohort(model, manifest, outlines=True)
    assert sorted(read) == sorted(manifest.file(row) for row in manifest.rows)
    assert said.pointing == point_at_masks(model, manifest)
    assert ask.ask_cohort(model, manifest).pointing is None


def test_a_folder_is_measured_a_few_slices_at_a_time(
    tiny_model: Path, outlined: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_model(tiny_model)
    whole = point_at_outlines(model, outlined)
    monkeypatch.setattr(lesion_masks, "BATCH", 4)
    assert point_at_outlines(model, outlined) == whole
