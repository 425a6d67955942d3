"""Runs become model files that say what Keras says, know what they saw, and own up to doubt."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.detection.engines import open_engine
from tumorscope.detection.seen import SeenImages
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.onnx_file import read_model
from tumorscope.networks.model_graph import model_graph
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import PROTOCOL, read_protocol
from tumorscope.records.protocol import data_hash, write_protocol
from tumorscope.records.resume import protocol_of
from tumorscope.records.run_folder import Run
from tumorscope.training import export
from tumorscope.training.export import export_run
from tumorscope.training.train import train

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty distinct noise images; half have a bright disc, which is not always plain."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:64, :64]
    for label, name in enumerate(("no", "yes")):
        (folder / name).mkdir()
        for index in range(20):
            pixels = rng.normal(90, 25, (8, 8)).repeat(8, axis=0).repeat(8, axis=1)
            if label:
                pixels[(rows - 16 - index) ** 2 + (columns - 32) ** 2 < 90] += rng.uniform(20, 150)
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(folder / name / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def trained(eager: None, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = Recipe.parse(
        {
            "name": "export-test",
            "data": {"fractions": [0.5, 0.3, 0.2]},
            "input": {"size": 32},
            "augmentation": {"variants": 2},
            "network": {"backbone": "small_cnn", "head": "pooled"},
            "frozen": {"epochs": 3, "learning_rate": 1e-2},
            "fine_tuning": {"epochs": 1, "learning_rate": 1e-3, "from_layer": "conv_3"},
        }
    )
    return train(
        cohort, recipe=recipe, weights="none", output=tmp_path_factory.mktemp("run") / "run"
    )


@pytest.fixture
def crossval(trained: Run, tmp_path: Path) -> Path:
    """What a cross-validation leaves behind, with scores that are good but not certain."""
    folder = tmp_path / "crossval"
    folder.mkdir()
    trained.manifest.save(folder / "manifest.csv")
    saved = Manifest.load(folder / "manifest.csv")
    rng = np.random.default_rng(0)
    with (folder / "scores.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "repeat", "fold", "score"])
        for index, row in enumerate(saved.rows):
            for repeat in range(2):
                logit = rng.normal(6 * row.label - 3, 3)
                writer.writerow([row.path, row.label, repeat, index % 5, 1 / (1 + np.exp(-logit))])
    write_protocol(folder / PROTOCOL, protocol_of(trained.folder, trained.record))
    return folder


def changed(crossval: Path, **changes: Any) -> None:
    """Let a cross-validation have been made by another protocol."""
    kept = read_protocol(crossval)
    write_protocol(crossval / PROTOCOL, kept.model_copy(update=changes))


def test_training_writes_it_and_it_says_what_keras_said(trained: Run) -> None:
    model = read_model(trained.folder / "model.onnx")
    engine = open_engine(model)
    calibration = model.metadata.calibration
    scores = {row["path"]: float(row["score"]) for row in read_csv(trained.folder / "scores.csv")}
    manifest = trained.manifest
    how = model.metadata.preprocessing.preprocessing
    pixels = np.stack([prepare(read_slice(manifest.file(row)), how) for row in manifest.rows])
    outputs = engine.run(pixels)
    keras = np.array([scores[row.path] for row in manifest.rows])
    assert np.abs(1 / (1 + np.exp(-outputs.logit)) - keras).max() < 1e-4
    expected = 1 / (1 + np.exp(-(calibration.slope * outputs.logit + calibration.intercept)))
    np.testing.assert_allclose(outputs.probability, expected, atol=1e-5)
    total = outputs.evidence.sum((1, 2)) + outputs.bias
    np.testing.assert_allclose(total, outputs.logit, atol=1e-3)


def test_it_knows_the_images_it_was_fitted_and_tuned_on_and_no_others(trained: Run) -> None:
    metadata = read_model(trained.folder / "model.onnx").metadata
    known = SeenImages(metadata.seen)
    manifest = trained.manifest
    seen = [known.holds(read_slice(manifest.file(row))) for row in manifest.rows]
    assert seen == [row.split in ("training", "tuning") for row in manifest.rows]
    assert metadata.data["sha256"] == trained.facts["data_sha256"]
    assert metadata.recipe["name"] == "export-test"


def test_it_keeps_nothing_of_its_images_where_the_recipe_says_so(
    tiny_cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    secretive = quick.model_copy(update={"data": quick.data.model_copy(update={"remember": False})})
    run = train(tiny_cohort, recipe=secretive, weights="none", output=tmp_path / "run")
    seen = read_model(run.folder / "model.onnx").metadata.seen
    assert (seen.withheld, seen.total, seen.data, seen.prepared) == (True, 0, "", "")
    scan = read_slice(run.manifest.file(run.manifest.rows[0]))
    assert SeenImages(seen).holds(scan) is None


def test_too_few_tuning_images_leave_the_networks_own_probabilities(
    tiny_cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    run = train(tiny_cohort, recipe=quick, weights="none", output=tmp_path / "run")
    metadata = read_model(run.folder / "model.onnx").metadata
    assert metadata.calibration.slope == 1.0
    assert metadata.calibration.ece_after is None
    assert {point.threshold for point in metadata.operating_points.values()} == {0.5}
    assert (metadata.conformal.no_tumour, metadata.conformal.tumour) == (1.0, 1.0)
    assert metadata.input_check.distance is None
    assert "Too few held-out scores" in metadata.card


def test_out_of_fold_scores_decide(trained: Run, crossval: Path, tmp_path: Path) -> None:
    made = export_run(trained, tmp_path / "model.onnx", crossval=crossval)
    metadata = read_model(tmp_path / "model.onnx").metadata
    assert metadata == made.metadata
    # What the run tests on chooses no threshold.
    tested = {row.path for row in trained.manifest.of_split("testing").rows}
    assert tested
    assert metadata.calibration.n == 40 - len(tested)
    assert "cross-validation (2 repeats)" in metadata.calibration.fitted_on
    # Logits of both classes lie 3 from 0 with standard deviation 3: the ideal slope is 2/3.
    assert 0.3 < metadata.calibration.slope < 1.3
    points = metadata.operating_points
    testing = {row.sha256 for row in trained.manifest.of_split("testing").rows}
    saved = Manifest.load(crossval / "manifest.csv").rows
    used = {row.path for row in saved if row.sha256 not in testing}
    scores = [row for row in read_csv(crossval / "scores.csv") if row["path"] in used]
    logits = np.array([-np.log(1 / float(row["score"]) - 1) for row in scores])
    labels = np.array([int(row["label"]) for row in scores])
    calibrated = 1 / (
        1 + np.exp(-(metadata.calibration.slope * logits + metadata.calibration.intercept))
    )
    assert np.mean(calibrated[labels == 1] >= points["screening"].threshold) >= 0.95
    assert np.mean(calibrated[labels == 0] < points["specific"].threshold) >= 0.95
    for point in points.values():
        assert point.sensitivity is not None
        assert 0 < point.sensitivity.low < point.sensitivity.value < point.sensitivity.high
    assert sum(metadata.conformal.n) == metadata.calibration.n
    assert f"{points['balanced'].sensitivity.value:.3f}" in metadata.card
    assert "Research use only" in metadata.card


def test_scores_of_a_random_split_are_refused(trained: Run, crossval: Path, tmp_path: Path) -> None:
    changed(crossval, split="random")
    with pytest.raises(HonestyError, match="random split"):
        export_run(trained, tmp_path / "model.onnx", crossval=crossval)
    assert not (tmp_path / "model.onnx").exists()


def test_folds_that_part_copies_choose_no_thresholds(
    trained: Run, crossval: Path, tmp_path: Path
) -> None:
    """As former versions made them from a column of groups."""
    records = read_csv(crossval / "manifest.csv")
    records[1]["sha256"] = records[0]["sha256"]
    with (crossval / "manifest.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(records[0]))
        table.writeheader()
        table.writerows(records)
    with pytest.raises(HonestyError, match="groups that separate copies of one picture"):
        export_run(trained, tmp_path / "model.onnx", crossval=crossval)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "weights",
            (Weights(kind="file", name="other.h5", digest="ab" * 32),),
            r"starting weights: none \(random\) in the run, other\.h5 \(abab",
        ),
        ("recipe", {"seed": 7}, "recipe.seed: 0 in the run, 7 in the cross-validation"),
        ("recipe", {"task": "tumour-type"}, "recipe.task: tumour in the run"),
        ("method", "small_cnn-logistic", "method: none in the run, small_cnn-logistic"),
        ("data", {"content": "0" * 64, "images": 41}, r"images: 40 \(20 with tumour\) in the run"),
        ("data", {"groups": "0" * 64}, "which images belong together"),
        ("data", {"content": "", "sha256": "0" * 64}, "images, labels, groups or splits"),
    ],
)
def test_scores_of_another_network_are_refused(
    trained: Run, crossval: Path, tmp_path: Path, name: str, value: Any, said: str
) -> None:
    if isinstance(value, dict):
        value = getattr(read_protocol(crossval), name).model_copy(update=value)
    changed(crossval, **{name: value})
    with pytest.raises(InputError, match=said):
        export_run(trained, tmp_path / "model.onnx", crossval=crossval)
    assert not (tmp_path / "model.onnx").exists()


def test_folds_repeats_and_names_may_differ(trained: Run, crossval: Path, tmp_path: Path) -> None:
    named = trained.recipe.model_copy(update={"name": "again", "description": "the same"})
    changed(crossval, folds=4, repeats=2, recipe=named)
    assert export_run(trained, tmp_path / "model.onnx", crossval=crossval).metadata.calibration


def test_scores_that_say_nothing_of_their_network_are_refused(
    trained: Run, crossval: Path, tmp_path: Path
) -> None:
    for text in (None, "{", '{"recipe": 1}'):
        (crossval / PROTOCOL).unlink() if text is None else (crossval / PROTOCOL).write_text(text)
        with pytest.raises(InputError, match="does not say what"):
            export_run(trained, tmp_path / "model.onnx", crossval=crossval)


@pytest.mark.parametrize("split", [True, False])
def test_the_text_of_older_versions_is_compared_too(
    trained: Run, crossval: Path, tmp_path: Path, split: bool
) -> None:
    manifest = trained.manifest.usable
    if not split:  # as where the audited cohort was cross-validated, before it was split
        manifest = manifest.having(replace(row, split="") for row in manifest.rows)
    (crossval / PROTOCOL).unlink()
    older = crossval / "folds" / "protocol.txt"
    rest = f"folds = 5\nrepeats = 2\nsplit = group\ndata = {data_hash(manifest)}\n"
    older.write_text(f"{trained.recipe.to_toml()}\nweights = none\n{rest}")
    assert export_run(trained, tmp_path / "model.onnx", crossval=crossval).metadata.calibration
    older.write_text(f"{trained.recipe.to_toml()}\nweights = w.h5 (sha256 {'ab' * 32})\n{rest}")
    with pytest.raises(InputError, match="starting weights"):
        export_run(trained, tmp_path / "model.onnx", crossval=crossval)


def test_a_run_of_an_older_version_is_compared_too(
    trained: Run, crossval: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.folder, run)
    facts = json.loads((run / "run.json").read_text())
    del facts["protocol"]
    (run / "run.json").write_text(json.dumps(facts))
    assert export_run(run, tmp_path / "model.onnx", crossval=crossval).metadata.calibration
    facts["weights"] = f"w.h5 (sha256 {'ab' * 32})"
    (run / "run.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="starting weights"):
        export_run(run, tmp_path / "model.onnx", crossval=crossval)


def test_a_run_in_place_of_a_cross_validation_is_refused(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks the columns path, label, repeat"):
        export_run(trained, tmp_path / "model.onnx", crossval=trained.folder)


def test_scores_of_other_images_are_refused(trained: Run, crossval: Path, tmp_path: Path) -> None:
    lines = (crossval / "scores.csv").read_text().splitlines()
    (crossval / "scores.csv").write_text("\n".join(lines[:-2]) + "\n")
    with pytest.raises(InputError, match="other images"):
        export_run(trained, tmp_path / "model.onnx", crossval=crossval)
    (crossval / "scores.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match="not whole"):
        export_run(trained, tmp_path / "model.onnx", crossval=crossval)
    (crossval / "scores.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="lacks the columns"):
        export_run(trained, tmp_path / "model.onnx", crossval=crossval)
    for old, new in ((",0,", ",x,"), (",0.", ",2.")):
        damaged = [lines[0], *(line.replace(old, new) for line in lines[1:])]
        (crossval / "scores.csv").write_text("\n".join(damaged) + "\n")
        with pytest.raises(InputError, match="no numbers from 0"):
            export_run(trained, tmp_path / "model.onnx", crossval=crossval)
    assert not (tmp_path / "model.onnx").exists()


def test_a_difference_from_keras_leaves_nothing_behind(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = model_graph

    def skewed(*args: Any, **options: Any) -> Any:
        return honest(*args, **{**options, "intercept": float(str(options["intercept"])) + 1e-3})

    monkeypatch.setattr(export, "model_graph", skewed)
    with pytest.raises(HonestyError, match="differs from Keras"):
        export_run(trained, tmp_path / "out" / "model.onnx")
    assert not (tmp_path / "out").exists()


def test_it_must_be_called_onnx(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        export_run(trained, tmp_path / "model.pkl")


def test_images_that_are_gone_are_named(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "run")
    manifest = tmp_path / "run" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("/no/7.png", "/no/gone.png"))
    with pytest.raises(InputError, match=r"gone\.png"):
        export_run(tmp_path / "run", tmp_path / "model.onnx")


@pytest.mark.parametrize("part", ["tuning", "testing"])
def test_training_images_that_were_moved_to_another_split_are_refused(
    trained: Run, tmp_path: Path, part: str
) -> None:
    run = Run.open(shutil.copytree(trained.folder, tmp_path / "run"))
    moved = run.manifest.of_split("training").rows[0].group
    run.manifest.having(
        replace(row, split=part) if row.group == moved else row for row in run.manifest.rows
    ).save(run.folder / "manifest.csv")
    with pytest.raises(HonestyError, match=f"calls {part} now were in another part"):
        export_run(run, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
