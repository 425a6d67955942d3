"""The task "tumour-type", from folders to reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.fixtures.audits import audit

from tumorscope.assessment.evaluate import evaluate, evaluate_types
from tumorscope.cli.app import run
from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import HonestyError, InputError, UsageError
from tumorscope.experiments.crossval import crossval, crossval_types
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import data_hash
from tumorscope.records.run_folder import Run
from tumorscope.training.export import export_run
from tumorscope.training.train import train

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")


@pytest.fixture
def types(tmp_path: Path) -> Path:
    """Eight images of each class, told apart by where they are bright."""
    generator = np.random.default_rng(0)
    for number, name in enumerate(("no", "glioma", "meningioma", "pituitary")):
        (tmp_path / "types" / name).mkdir(parents=True)
        for image in range(8):
            pixels = generator.integers(0, 90, (64, 64), dtype=np.uint8)
            pixels[16 * number : 16 * number + 16, 8:56] += 150
            Image.fromarray(pixels).save(tmp_path / "types" / name / f"{image}.png")
    return tmp_path / "types"


def test_cross_validation_scores_every_class(
    types: Path, swift: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"recipe": swift, "folds": 2, "weights": "none"}
    found = crossval_types(types, output=tmp_path / "cv", **options)
    records = read_csv(tmp_path / "cv" / "scores.csv")
    assert list(records[0])[4:] == [
        "score_no_tumour",
        "score_glioma",
        "score_meningioma",
        "score_pituitary",
    ]
    assert found.scores.shape == (32, 1, 4)
    np.testing.assert_allclose(found.scores.sum(axis=2), 1.0, atol=1e-5)
    assert found.metrics.n_of_class == (8, 8, 8, 8)
    assert found.metrics.split == "grouped"
    with pytest.raises(UsageError, match="--resume"):
        crossval_types(types, output=tmp_path / "cv", **options)
    options |= {"recipe": swift.for_task("tumour-type"), "repeats": 1}
    again = crossval(types, output=tmp_path / "cv", resume=True, **options)
    np.testing.assert_allclose(again.scores, found.scores, atol=1e-8)

    (tmp_path / "recipe.toml").write_text(swift.to_toml())
    words = ["crossval", str(types), "--task", "tumour-type", "--split", "random", "--json"]
    words += ["--recipe", str(tmp_path / "recipe.toml"), "--folds", "2", "--repeats", "1"]
    assert run([*words, "--weights", "none", "-o", str(tmp_path / "random")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["split"] == "random"
    assert document["classes"] == list(TYPE_CLASSES)
    assert "leaks" in (tmp_path / "random" / "report.html").read_text("utf-8")


def test_sources_are_left_out_and_a_type_of_one_source_is_told(
    types: Path, swift: Recipe, tmp_path: Path
) -> None:
    whole = audit(types, probes=False).manifest
    rows = [
        replace(row, source="west" if row.tumour_type == "glioma" or index % 2 else "east")
        for index, row in enumerate(whole.rows)
    ]
    recipe = swift.for_task("tumour-type")
    found = crossval(
        whole.having(rows),
        recipe=recipe,
        weights="none",
        hold_out=["each"],
        output=tmp_path / "cv",
    )
    assert found.scores.shape == (32, 1, 4)
    sources = np.array([row.source for row in found.manifest.rows])
    assert set(zip(sources.tolist(), found.folds[:, 0].tolist(), strict=True)) == {
        ("east", 0),
        ("west", 1),
    }
    document = json.loads((tmp_path / "cv" / "metrics.json").read_text())
    assert "with sources left out, tumour types" in document["title"]
    assert any("All 8 images of glioma lie in one fold" in note for note in document["notes"])


def test_a_run_trains_learns_and_is_evaluated(
    types: Path, swift: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = swift.for_task("tumour-type").model_copy(
        update={"frozen": swift.frozen.model_copy(update={"epochs": 8})}
    )
    done = train(types, recipe=recipe, weights="none", output=tmp_path / "run")
    assert done.facts["task"] == "tumour-type"
    assert not (done.folder / "model.onnx").exists()
    assert done.load_model().output_shape == (None, 4)
    first, last = (float(done.history[epoch]["loss"]) for epoch in (0, -1))
    assert last < first
    assert {record["label"] for record in read_csv(done.folder / "scores.csv")} == set("0123")

    assert run(["evaluate", str(done.folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["n"] == len(done.manifest.of_split("testing"))
    with pytest.raises(HonestyError, match="used to train"):
        evaluate(done, types, output=tmp_path / "seen")
    with pytest.warns(DeprecationWarning, match="is now evaluate"):
        seen = evaluate_types(done.folder, types, output=tmp_path / "seen", allow_seen=True)
    assert seen.metrics.n == 32
    assert seen.scores.shape == (32, 1, 4)
    assert seen.folder == tmp_path / "seen"
    assert "images it was trained on" in (tmp_path / "seen" / "report.html").read_text("utf-8")
    assert evaluate(done).scores.shape == (document["n"], 4)
    with pytest.raises(InputError, match="model files hold detectors"):
        export_run(done, tmp_path / "model.onnx")


def test_a_rare_type_is_trained_on_and_what_cannot_be_measured_is_null(
    types: Path, swift: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in sorted((types / "pituitary").iterdir())[1:]:
        file.unlink()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(swift.for_task("tumour-type").to_toml())
    words = ["train", str(types), "--recipe", str(recipe), "--weights", "none"]
    assert run([*words, "-o", str(tmp_path / "run")]) == 0
    assert "No pituitary lies in testing (1 images in 1 group in all)" in capsys.readouterr().err
    facts = Run.open(tmp_path / "run").facts
    assert facts["types_missing"] == {"tuning": ["pituitary"], "testing": ["pituitary"]}

    assert run(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["n_of_class"]["pituitary"] == 0
    figures = document["per_class"]["pituitary"]
    assert figures["sensitivity"]["value"] is None
    assert figures["sensitivity"]["reason"] == "no image of this class"
    assert figures["specificity"]["value"] is not None
    assert document["metrics"]["macro_f1"]["reason"].startswith("no image of pituitary")
    report = (tmp_path / "run" / "evaluation" / "report.html").read_text("utf-8")
    assert "No pituitary lies in testing" in report

    generator = np.random.default_rng(7)  # new images, of two of the four classes
    for name in ("no", "meningioma"):
        (tmp_path / "other" / name).mkdir(parents=True)
        for image in range(3):
            pixels = generator.integers(0, 200, (64, 64), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "other" / name / f"{image}.png")
    there = ["evaluate", str(tmp_path / "run"), str(tmp_path / "other"), "--json"]
    assert run([*there, "-o", str(tmp_path / "report")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["n_of_class"] == {
        "no tumour": 3, "glioma": 0, "meningioma": 3, "pituitary": 0,
    }  # fmt: skip
    assert document["per_class"]["meningioma"]["sensitivity"]["value"] is not None

    words[0] = "crossval"
    words += ["--task", "tumour-type", "--folds", "2", "--repeats", "1", "--json"]
    assert run([*words, "-o", str(tmp_path / "cv")]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 25
    notes = json.loads((tmp_path / "cv" / "metrics.json").read_text())["notes"]
    assert any("All 1 images of pituitary lie in one fold" in note for note in notes)


def test_a_training_part_without_a_type_is_refused(
    types: Path, quick: Recipe, tmp_path: Path
) -> None:
    whole = audit(types, probes=False).manifest
    given = whole.having(
        replace(row, split="testing" if row.tumour_type == "glioma" else "training")
        for row in whole.rows
    )
    recipe = quick.for_task("tumour-type")
    with pytest.raises(InputError, match="none of them of the class glioma"):
        train(given, recipe=recipe, weights="none", output=tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.toml").exists()


def test_tasks_are_not_mixed_up(types: Path, quick: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 2 folds"):
        crossval_types(types, recipe=quick, folds=1, output=tmp_path / "cv")


def test_made_up_lesions_have_no_type() -> None:
    recipe = Recipe.load("reference")
    assert recipe.augmentation.lesions > 0
    typed = recipe.for_task("tumour-type")
    assert typed.augmentation.lesions == 0
    assert Recipe.parse(typed.model_dump()) == typed
    with pytest.raises(InputError, match="made-up lesions have no type"):
        Recipe.parse(recipe.model_dump() | {"task": "tumour-type"})


def test_a_cohort_without_types_is_refused(
    tiny_cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="unknown type"):
        train(
            tiny_cohort,
            recipe=quick.for_task("tumour-type"),
            weights="none",
            output=tmp_path / "run",
        )


def test_swapped_types_of_equal_counts_are_other_data(tiny_cohort: Path) -> None:
    plain = audit(tiny_cohort, probes=False).manifest
    types = [replace(row, tumour_type="glioma" if row.label else "") for row in plain.rows]
    having = [index for index, row in enumerate(types) if row.label]
    hashes = {data_hash(plain)}
    for index in having[:2]:
        changed = list(types)
        changed[index] = replace(changed[index], tumour_type="meningioma")
        hashes.add(data_hash(plain.having(changed)))
    assert len(hashes) == 3
