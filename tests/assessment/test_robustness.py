"""Robustness: every change is a change, values are of the right images, seen ones are refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.fixtures.undrawn import without_plots

from tumorscope.assessment import changed_answers
from tumorscope.assessment.robustness import measure_robustness
from tumorscope.cli.app import run
from tumorscope.common.errors import HonestyError
from tumorscope.duplicates.thumbprint import thumbprint
from tumorscope.imaging import read_slice
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.model_file.schema import TrainingThumbprints
from tumorscope.statistics import wilson
from tumorscope.synthetic.perturbations import PERTURBATIONS, Perturbation

GENERATOR = np.random.default_rng(0)


def head() -> np.ndarray:
    picture = np.zeros((200, 180), np.uint8)
    cv2.ellipse(picture, (90, 100), (70, 85), 0, 0, 360, 220, -1)
    cv2.ellipse(picture, (90, 100), (62, 76), 0, 0, 360, 10, -1)
    cv2.ellipse(picture, (90, 100), (52, 66), 0, 0, 360, 130, -1)
    cv2.circle(picture, (70, 80), 12, 200, -1)
    return picture


@pytest.mark.parametrize("perturbation", PERTURBATIONS, ids=lambda each: each.name)
def test_every_strength_changes_the_picture_more_than_the_one_before(
    perturbation: Perturbation,
) -> None:
    picture = head()
    changed = [
        perturbation.change(picture, strength, np.random.default_rng(1))
        for strength in perturbation.strengths
    ]
    made = [each for each in changed if each is not None]
    assert len(made) == len(perturbation.strengths)
    assert all(each.dtype == np.uint8 and each.ndim == 2 for each in made)
    assert all(each.shape != picture.shape or (each != picture).any() for each in made)
    assert len({each.tobytes() for each in made}) == len(made)
    if perturbation.name in ("noise", "blur"):
        apart = [float(np.abs(each.astype(int) - picture).mean()) for each in made]
        assert apart == sorted(apart)


def test_a_picture_that_is_small_already_is_not_enlarged() -> None:
    resolution = next(each for each in PERTURBATIONS if each.name == "resolution")
    assert resolution.change(head()[::4, ::4], 56.0, GENERATOR) is None


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Dark slices in no/, bright ones in yes/: what the tiny model tells apart."""
    for index in range(8):
        for folder, grey in (("no", 70), ("yes", 150)):
            noise = np.random.default_rng([index, grey]).normal(grey, 30, (12, 12))
            pixels = np.clip(noise.repeat(8, 0).repeat(8, 1), 0, 255).astype(np.uint8)
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "data" / folder / f"{index}.png")
    return tmp_path / "data"


def darker(pixels: np.ndarray, strength: float, _: np.random.Generator) -> np.ndarray | None:
    if strength == 3:
        return None
    return (pixels * strength).astype(np.uint8)


DARKER = Perturbation("darker", "factor", (1.0, 0.2, 3.0), darker)


def test_calls_change_where_the_picture_does(
    tiny_model: Path, cohort: Path, tmp_path: Path
) -> None:
    found = measure_robustness(tiny_model, cohort, output=tmp_path / "out", perturbations=[DARKER])
    none, same, dark = found.strengths  # strength 3 could be made of no image
    assert none.images == same.images == dark.images == 16
    assert none.auc is not None
    assert none.auc.value == same.auc_before == 1.0
    assert none.flips is None
    assert same.flips is not None
    assert same.flips.value == same.shift == 0.0
    assert dark.flips is not None
    assert dark.flips.value == pytest.approx(0.5)
    assert dark.sensitivity is not None
    assert dark.sensitivity.value == 0.0
    # What no resample changes is still not certain.
    assert none.auc.low == wilson(8, 8).low < 1.0
    assert same.flips.high == wilson(0, 16).high > 0.0
    assert (dark.sensitivity.low, dark.sensitivity.high) == (0.0, wilson(0, 8).high)
    assert none.refused is not None
    assert none.refused.value == 0.0
    with (tmp_path / "out" / "robustness.csv").open() as stream:
        records = list(csv.DictReader(stream))
    assert [record["perturbation"] for record in records] == ["none", "darker", "darker"]
    document = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert document["strengths"][2]["flips"]["value"] == pytest.approx(0.5)
    assert (tmp_path / "out" / "robustness.png").stat().st_size > 10_000


def test_what_the_input_check_refuses_is_counted(
    tiny_model: Path, cohort: Path, tmp_path: Path
) -> None:
    flat = Perturbation("flat", "", (1.0,), lambda pixels, *_: np.full_like(pixels, 70))
    for name in ("0.png", "1.png"):  # blank as they are
        Image.fromarray(np.full((96, 96), 70, np.uint8)).save(cohort / "no" / name)
    found = measure_robustness(tiny_model, cohort, output=tmp_path / "out", perturbations=[flat])
    shares = [each.refused and each.refused.value for each in found.strengths]
    assert shares == [2 / 16, 1.0]
    with (tmp_path / "out" / "robustness.csv").open() as stream:
        assert [each["refused"] for each in csv.DictReader(stream)] == ["0.125", "1.000"]
    assert found.to_json()["strengths"][0]["refused"]["value"] == 2 / 16


def test_seen_images_are_refused(tiny_model: Path, cohort: Path, tmp_path: Path) -> None:
    model = read_model(tiny_model)
    prints = np.stack([thumbprint(read_slice(cohort / "yes" / "0.png"))])
    seen = model.metadata.model_copy(update={"seen": TrainingThumbprints.pack(prints)})
    file = write_model(tmp_path / "saw.onnx", model.graph, seen).path
    options = {"output": tmp_path / "out", "perturbations": [DARKER]}
    with pytest.raises(HonestyError, match="1 of 16 images"):
        measure_robustness(file, cohort, **options)
    assert len(measure_robustness(file, cohort, allow_seen=True, **options).strengths) == 3


def test_the_command_prints_json(
    tiny_model: Path,
    cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(changed_answers, "RESAMPLES", 20)
    arguments = ["robustness", str(cohort), "--model", str(tiny_model), "-o", str(tmp_path / "o")]
    with without_plots():
        assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "Not for diagnosis" in document["notice"]
    assert {each["perturbation"] for each in document["strengths"]} >= {"noise", "jpeg", "crop"}
