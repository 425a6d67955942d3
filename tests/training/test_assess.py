"""Evaluation of a run: its own testing images, strangers, and images that it has seen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.common.errors import HonestyError, InputError
from tumorscope.training.assess import evaluate
from tumorscope.training.recipe import Recipe
from tumorscope.training.run import Run, train


@pytest.fixture
def run(tiny_cohort: Path, quick: Recipe, tmp_path: Path) -> Run:
    return train(tiny_cohort, recipe=quick, weights="none", output=tmp_path / "run")


def test_its_own_testing_images(run: Run) -> None:
    result = evaluate(run)
    document = json.loads((run.folder / "evaluation" / "metrics.json").read_text())
    testing = run.manifest.of_split("testing")
    assert document["n"] == len(testing)
    metrics = result.metrics.to_json()
    assert {key: document[key] for key in metrics} == metrics
    assert result.report == run.folder / "evaluation" / "report.html"
    assert "Research use only" in result.report.read_text()


def test_strangers_are_scored(run: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(99)
    for folder in ("yes", "no"):
        (tmp_path / "other" / folder).mkdir(parents=True)
        for index in range(3):
            pixels = generator.integers(0, 256, (10, 10), dtype=np.uint8).repeat(9, 0).repeat(9, 1)
            Image.fromarray(pixels).save(tmp_path / "other" / folder / f"{index}.png")
    result = evaluate(run, tmp_path / "other", output=tmp_path / "report")
    assert result.metrics.to_json()["n"] == 6


def test_seen_images_are_refused_also_when_re_encoded(run: Run, tmp_path: Path) -> None:
    trained = [row for row in run.manifest.rows if row.split == "training"]
    for row in trained:
        target = tmp_path / "seen" / ("yes" if row.label else "no")
        target.mkdir(parents=True, exist_ok=True)
        image = Image.open(run.manifest.file(row)).resize((120, 120))
        image.save(target / (Path(row.path).stem + ".jpg"), quality=85)
    with pytest.raises(HonestyError, match="used to train"):
        evaluate(run, tmp_path / "seen", output=tmp_path / "report")
    assert not (tmp_path / "report" / "report.html").exists()
    result = evaluate(run, tmp_path / "seen", output=tmp_path / "report", allow_seen=True)
    assert "images it was trained on" in result.report.read_text()


def test_what_is_no_run_is_refused(tmp_path: Path, run: Run) -> None:
    with pytest.raises(InputError, match="no run"):
        evaluate(tmp_path)
    shutil.copy(run.folder / "manifest.csv", tmp_path / "manifest.csv")
    (run.folder / "scores.csv").unlink()
    with pytest.raises(InputError, match=r"scores\.csv"):
        evaluate(run)
