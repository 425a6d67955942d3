"""Sources are left out whole, and what is said of them calibrates a model as if cross-validated."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaged_model import build, left_out
from packaged_model.evidence import pointing_records
from packaged_model.holdout import Fold, folds_of, split_without, train_without
from packaged_model.sources import with_splits

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.csv_files import read_csv
from tumorscope.common.files import sha256_of
from tumorscope.model_file.onnx_file import read_model
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import read_protocol
from tumorscope.synthetic.phantom_slice import phantom_slice
from tumorscope.training.export import export_run
from tumorscope.training.train import train

pytestmark = pytest.mark.usefixtures("eager")

HOLD_OUT = (("a", "stripped_dev"), ("b",))
SMALL = Recipe.parse(
    {
        "name": "holdout-test",
        "input": {"size": 64, "crop": "head", "fit": "pad"},
        "sampling": {"by": "source", "images_per_epoch": 16},
        "augmentation": {"lesions": 0.5},
        "network": {"backbone": "small_cnn", "head": "dense", "channels": 4},
        "frozen": {"epochs": 1, "learning_rate": 1e-2},
        "fine_tuning": {"epochs": 0},
        "optimisation": {"schedule": "cosine", "class_weights": "none", "places": 1.0},
    }
)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Four sources of both labels with masks; one picture of ``b`` is a copy of one of ``c``."""
    folder = tmp_path_factory.mktemp("sources")
    rows = []
    for place, source in enumerate(("a", "b", "c", "stripped_dev")):
        for number in range(12):
            tumour, seed = number % 2 == 1, 100 * place + number
            pixels = phantom_slice(tumour=tumour, seed=seed, size=96).pixels
            path = folder / source / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), pixels)
            mask = ""
            if tumour:
                mask = f"{source}/{number}_mask.png"
                cv2.imwrite(str(folder / mask), np.full((96, 96), 255, np.uint8))
            group = "both" if (source, number) in {("b", 0), ("c", 0)} else f"{source}{number}"
            name = path.relative_to(folder).as_posix()
            digest = sha256_of(path)
            rows.append(
                Row(
                    path=name,
                    sha256=digest,
                    label=int(tumour),
                    group=group,
                    source=source,
                    mask=mask,
                )
            )
    return with_splits(Manifest(tuple(rows), folder))


@pytest.fixture(scope="module")
def made(
    eager: None, listed: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Fold]]:
    output = tmp_path_factory.mktemp("holdout")
    return output, train_without(listed, HOLD_OUT, recipe=SMALL, weights="none", output=output)


def test_what_shares_a_group_with_a_source_left_out_does_not_train(listed: Manifest) -> None:
    rows = split_without(listed, ("b",)).rows
    tested = {(row.source, row.path) for row in rows if row.split == "testing"}
    assert ("c", "c/0.png") in tested
    assert {source for source, _ in tested} == {"b", "c", "stripped_dev"}
    assert len(tested) == 12 + 12 + 1


def test_every_source_left_out_is_scored_once_by_its_own_run(
    made: tuple[Path, list[Fold]], listed: Manifest
) -> None:
    output, folds = made
    records = read_csv(output / "scores.csv")
    sources = {row.path: row.source for row in Manifest.load(output / "manifest.csv").rows}
    assert len(records) == len({each["path"] for each in records}) == 36
    assert {(sources[each["path"]], each["fold"]) for each in records} == {
        ("a", "0"),
        ("stripped_dev", "0"),
        ("b", "1"),
    }
    of_run = {
        Path(each["path"]).name: each["score"]
        for each in read_csv(folds[1].run.folder / "scores.csv")
        if "/b/" in each["path"]
    }
    assert {
        Path(each["path"]).name: each["score"] for each in records if each["fold"] == "1"
    } == of_run
    protocol = read_protocol(output)
    assert protocol.hold_out == (("a", "stripped_dev"), ("b",))
    assert protocol.data.images == len(listed)


def test_finished_runs_are_kept(made: tuple[Path, list[Fold]], listed: Manifest) -> None:
    output, folds = made
    before = [(fold.run.folder / "run.json").stat().st_mtime_ns for fold in folds]
    scores = (output / "scores.csv").read_bytes()
    again = train_without(listed, HOLD_OUT, recipe=SMALL, weights="none", output=output)
    assert [(fold.run.folder / "run.json").stat().st_mtime_ns for fold in again] == before
    assert (output / "scores.csv").read_bytes() == scores
    assert [fold.sources for fold in folds_of(output, HOLD_OUT)] == [each.sources for each in folds]


def test_evidence_is_measured_by_source(made: tuple[Path, list[Fold]]) -> None:
    records = list(pointing_records(made[1]))
    assert [each["source"] for each in records] == ["a", "stripped_dev", "b"]
    # The masks are white all over.
    assert {(each["images"], each["hits"], each["inside"]) for each in records} == {
        (6, "1.000", "1.000")
    }


def test_every_ablation_is_a_recipe_that_trains_otherwise() -> None:
    recipe = Recipe.load("reference")
    for name, changes in build.ABLATIONS.items():
        assert recipe.changed(changes) != recipe, name


def test_an_ablation_is_trained_as_the_first_of_holdout_and_measured_beside_it(
    made: tuple[Path, list[Fold]],
    listed: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "holdout").symlink_to(made[0], target_is_directory=True)
    listed.save(tmp_path / "manifest.csv")
    monkeypatch.setattr(left_out, "at_specificity", lambda *_: {})  # resamples for seconds
    monkeypatch.setattr(build, "HOLD_OUT", HOLD_OUT)
    monkeypatch.setattr(build, "ABLATIONS", {"no-places": {"optimisation.places": 0.0}})
    monkeypatch.setattr(build, "ABLATED", tmp_path / "ablations.csv")
    build.without_parts(build.Order(listed.root, tmp_path, SMALL, "none", None))
    records = read_csv(tmp_path / "ablations.csv")
    assert [(each["change"], each["source"]) for each in records] == [
        *(("none", "a"), ("none", "stripped_dev")),
        *(("no-places", "a"), ("no-places", "stripped_dev")),
    ]
    assert {each["hits"] for each in records} == {"1.000"}  # the masks are white all over
    (fold,) = folds_of(tmp_path / "ablations" / "no-places", HOLD_OUT[:1])
    assert fold.run.recipe.optimisation.places == 0.0
    files = [each.run.folder / "scores.csv" for each in (made[1][0], fold)]
    assert files[0].read_bytes() != files[1].read_bytes()


def test_its_scores_calibrate_a_run_on_everything(
    made: tuple[Path, list[Fold]], listed: Manifest, tmp_path: Path
) -> None:
    run = train(listed, recipe=SMALL, weights="none", output=tmp_path / "run")
    model = export_run(run, tmp_path / "model.onnx", crossval=made[0])
    assert "left out of training (12 of a, 12 of b" in model.metadata.calibration.fitted_on
    assert model.metadata.calibration.n == 24  # what is never trained on chooses nothing
    assert read_model(tmp_path / "model.onnx").metadata.grid == (4, 4)


def test_scores_are_a_table(made: tuple[Path, list[Fold]]) -> None:
    with (made[0] / "scores.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["path", "label", "repeat", "fold", "score"]
