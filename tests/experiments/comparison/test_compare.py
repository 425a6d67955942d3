"""The table: honest where weights are missing, kept where it was finished."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tumorscope.common.errors import InputError, UsageError
from tumorscope.experiments.comparison import compare as module
from tumorscope.experiments.comparison import system_folder
from tumorscope.experiments.comparison.compare import compare
from tumorscope.experiments.comparison.measure import Cost
from tumorscope.experiments.comparison.table import COLUMNS, QUALITY, Comparison
from tumorscope.experiments.crossval import CrossValidation, crossval
from tumorscope.networks import imagenet
from tumorscope.networks.backbones import build_backbone
from tumorscope.networks.backbones import lookup as lookup_backbone
from tumorscope.networks.systems import System
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.trainer import DivergedError

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")

OPTIONS: dict[str, Any] = {"folds": 2, "repeats": 1}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Costs made up; which systems were measured."""
    seen: list[str] = []

    def made_up(system: System, recipe: Recipe) -> Cost:
        seen.append(system.name)
        return Cost("32", 1000 * len(seen), 0.1 * len(seen), 2.0, "ONNX Runtime", 50.0, 3.0)

    monkeypatch.setattr(module, "measure", made_up)
    return seen


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and a server that does not answer."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(imagenet, "BASE_URL", "http://127.0.0.1:1/")
    return tmp_path / "keras"


@pytest.fixture
def pretrained(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for ImageNet weights of the small CNN, in Keras' cache and layout."""
    (offline / "models").mkdir(parents=True)
    path = offline / "models" / "small.h5"
    layers = [layer for layer in build_backbone("small_cnn", 32).layers if layer.weights]
    with h5py.File(path, "w") as stored:
        stored.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = stored.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = np.asarray(weight)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(imagenet.IMAGENET, "small_cnn", ("small.h5", digest))


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "comparison.csv").open() as stream:
        return {row["system"]: row for row in csv.DictReader(stream)}


def test_what_cannot_be_downloaded_leaves_empty_cells_and_stops_nothing(
    tiny_cohort: Path, swift: Recipe, measured: list[str], pretrained: None, tmp_path: Path
) -> None:
    names = ["mobilenet_v3_large", "small_cnn", "resnet18-svm"]
    found = compare(tiny_cohort, backbones=names, recipe=swift, output=tmp_path / "c", **OPTIONS)
    assert [row.system.name for row in found.missing] == ["mobilenet_v3_large", "resnet18-svm"]
    rows = table(tmp_path / "c")
    assert list(rows) == names
    assert tuple(rows["small_cnn"]) == COLUMNS
    quality = [f"{name}{end}" for name in QUALITY for end in ("", "_low", "_high")]
    for name in ("mobilenet_v3_large", "resnet18-svm"):
        assert not any(rows[name][column] for column in (*quality, "weights", "images"))
        assert float(rows[name]["gmac"]) > 0
    assert rows["mobilenet_v3_large"]["note"] == (
        f"ImageNet weights were not available; run: tumorscope compare {tiny_cohort} --backbones "
        f"mobilenet_v3_large --recipe swift --folds 2 --repeats 1 -o {tmp_path / 'c'} --resume"
    )
    assert "Keras publishes no ImageNet weights of ResNet-18" in rows["resnet18-svm"]["note"]
    assert "resnet18.weights.h5" in rows["resnet18-svm"]["note"]
    there = rows["small_cnn"]
    assert all(there[f"{name}{end}"] for name in ("accuracy", "auc") for end in ("", "_low"))
    assert there["weights"].startswith("small.h5 (sha256")
    assert (there["images"], there["note"]) == ("12", "")
    own = json.loads((tmp_path / "c" / "systems" / "small_cnn" / "metrics.json").read_text())
    assert own["metrics"]["accuracy"]["value"] == pytest.approx(float(there["accuracy"]), abs=1e-4)
    page = (tmp_path / "c" / "comparison.html").read_text()
    assert f"<code>tumorscope compare {tiny_cohort} --backbones mobilenet_v3_large" in page
    assert "http://" not in page
    assert "Quality was measured for 1 of 3" in page


@pytest.mark.parametrize("how", [{"weights": "none"}, {"cost_only": True}])
def test_random_weights_give_costs_and_no_quality(
    tiny_cohort: Path, swift: Recipe, measured: list[str], tmp_path: Path, how: dict[str, Any]
) -> None:
    names = ["small_cnn", "alexnet"]
    found = compare(tiny_cohort, backbones=names, recipe=swift, output=tmp_path / "c", **how)
    assert found.missing == []
    assert all(row.quality is None for row in found.rows)
    assert not (tmp_path / "c" / "systems" / "small_cnn" / "folds").exists()
    document = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert [row["quality"] for row in document["rows"]] == [None, None]
    assert "Costs only" in (tmp_path / "c" / "comparison.html").read_text()


def test_resuming_keeps_what_is_finished_and_fills_cells(
    tiny_cohort: Path, swift: Recipe, measured: list[str], offline: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"recipe": swift, "output": tmp_path / "c", **OPTIONS}
    compare(backbones=["small_cnn", "alexnet"], cost_only=True, **options)
    with pytest.raises(UsageError, match="--resume"):
        compare(backbones=["small_cnn"], cost_only=True, **options)
    folder = tmp_path / "weights"
    folder.mkdir()
    build_backbone("small_cnn", 32).save_weights(folder / "small_cnn.weights.h5")
    filled = compare(tiny_cohort, backbones=["small_cnn"], weights=folder, resume=True, **options)
    assert measured == ["small_cnn", "alexnet"]
    assert [row.system.name for row in filled.rows] == ["small_cnn", "alexnet"]
    assert filled.rows[0].quality is not None
    assert filled.missing == []
    fold = tmp_path / "c" / "systems" / "small_cnn" / "folds" / "repeat-0-fold-0.csv"
    before = fold.stat().st_mtime_ns
    again = compare(tiny_cohort, backbones=["small_cnn"], weights=folder, resume=True, **options)
    assert fold.stat().st_mtime_ns == before
    assert again.rows[0].quality == filled.rows[0].quality
    with pytest.raises(InputError, match="another recipe"):
        compare(
            tiny_cohort, backbones=["small_cnn"], weights=folder, resume=True,
            **{**options, "folds": 3},
        )  # fmt: skip
    other = swift.model_copy(update={"seed": 5})
    with pytest.raises(InputError, match="another recipe"):
        compare(
            backbones=["small_cnn"], cost_only=True, resume=True, **{**options, "recipe": other}
        )


@dataclass(frozen=True)
class Filled:
    """A comparison of one system that is done, and the weights that it started from."""

    cohort: Path
    recipe: Recipe
    folder: Path
    weights: Path

    def again(self, folder: Path, **changes: Any) -> Comparison:
        options: dict[str, Any] = {
            "backbones": ["small_cnn"],
            "recipe": self.recipe,
            "resume": True,
        }
        return compare(**(options | {"data": self.cohort, "output": folder} | OPTIONS | changes))


@pytest.fixture(scope="module")
def filled(
    unplotted: None,
    swift: Recipe,
    drawn_tiny_cohort: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Filled:
    root = tmp_path_factory.mktemp("filled")
    weights = root / "weights"
    weights.mkdir()
    build_backbone("small_cnn", 32).save_weights(weights / "small_cnn.weights.h5")
    done = Filled(drawn_tiny_cohort, swift, root / "c", weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "measure", lambda *_: Cost("32", 9, 0.1, 2.0, "Keras", 50.0, 3.0))
        done.again(done.folder, weights=weights, resume=False)
    return done


def test_a_row_keeps_the_weights_that_it_was_measured_with(filled: Filled, tmp_path: Path) -> None:
    folder = shutil.copytree(filled.folder, tmp_path / "c")
    other = tmp_path / "weights"
    other.mkdir()
    backbone = build_backbone("small_cnn", 32)
    backbone.set_weights([0.5 * each for each in backbone.get_weights()])
    backbone.save_weights(other / "small_cnn.weights.h5")
    with pytest.raises(
        InputError, match=r"starting weights: small_cnn\.weights\.h5 \(.* then, small_cnn"
    ):
        filled.again(folder, weights=other)
    # Half finished: its folds are of the old file too.
    (folder / "systems" / "small_cnn" / "quality.json").unlink()
    with pytest.raises(InputError, match="another recipe, cohort, protocol"):
        filled.again(folder, weights=other)


def test_costs_are_not_added_to_results_of_another_protocol(filled: Filled, tmp_path: Path) -> None:
    folder = shutil.copytree(filled.folder, tmp_path / "c")
    with pytest.raises(InputError, match="another recipe, cohort, protocol"):
        filled.again(folder, data=None, cost_only=True, folds=5)
    found = filled.again(folder, data=None, cost_only=True)
    assert found.rows[0].quality is not None


def test_every_interval_is_the_cautious_one_also_of_rows_that_were_kept(
    filled: Filled, tmp_path: Path
) -> None:
    folder = shutil.copytree(filled.folder, tmp_path / "c")
    own = folder / "systems" / "small_cnn"
    measured = json.loads((own / "metrics.json").read_text())
    # As a version before wrote it: by images alone.
    kept = json.loads((own / "quality.json").read_text())
    kept["metrics"] = {name: measured["metrics"][name] for name in QUALITY}
    (own / "quality.json").write_text(json.dumps(kept))
    row = filled.again(folder, weights=filled.weights).rows[0]
    assert row.quality is not None
    for name in ("accuracy", "auc", "sensitivity", "specificity"):
        found = row.quality["metrics"][name]
        widths = [
            each["high"] - each["low"]
            for each in (measured["metrics"][name], measured["by_group"][name])
            if each["low"] is not None
        ]
        assert found["value"] == measured["metrics"][name]["value"]
        if found["low"] is not None:
            assert found["high"] - found["low"] == pytest.approx(max(widths))


def test_a_damaged_file_of_a_system_is_named(filled: Filled, tmp_path: Path) -> None:
    folder = shutil.copytree(filled.folder, tmp_path / "c")
    (folder / "systems" / "small_cnn" / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=r"metrics\.json is damaged"):
        filled.again(folder, weights=filled.weights)


def test_a_system_that_diverges_does_not_stop_the_others(
    tiny_cohort: Path,
    swift: Recipe,
    measured: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("alexnet", "small_cnn"):
        size = lookup_backbone(name).smallest
        build_backbone(name, size).save_weights(folder / f"{name}.weights.h5")
    whole = crossval

    def diverge(manifest: Any, **options: Any) -> CrossValidation:
        if "alexnet" in str(options["output"]):
            raise DivergedError("The loss is not a number after epoch 1.")
        return whole(manifest, **options)

    monkeypatch.setattr(system_folder, "crossval", diverge)
    found = compare(
        tiny_cohort,
        backbones=["alexnet", "small_cnn"],
        recipe=swift,
        weights=folder,
        output=tmp_path / "c",
        **OPTIONS,
    )
    assert [row.system.name for row in found.missing] == ["alexnet"]
    assert found.rows[1].quality is not None
    assert "diverged: The loss is not a number" in table(tmp_path / "c")["alexnet"]["note"]


def test_a_damaged_file_of_one_backbone_does_not_stop_the_others(
    tiny_cohort: Path, swift: Recipe, measured: list[str], tmp_path: Path
) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "alexnet.h5").write_text("torn")
    build_backbone("small_cnn", 32).save_weights(tmp_path / "weights" / "small_cnn.weights.h5")
    found = compare(
        tiny_cohort,
        backbones=["alexnet", "small_cnn"],
        recipe=swift,
        weights=tmp_path / "weights",
        output=tmp_path / "c",
        **OPTIONS,
    )
    assert [row.system.name for row in found.missing] == ["alexnet"]
    assert found.rows[1].quality is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backbones": ["vgg16"]}, "no cohort"),
        ({"backbones": []}, "no systems"),
        ({"backbones": ["vgg17"], "cost_only": True}, "no system 'vgg17'"),
        ({"data": "x", "backbones": ["vgg16"], "weights": "nowhere"}, "no weights at nowhere"),
        ({"data": "x", "backbones": ["vgg16"], "weights": "mri"}, "Received the weights mri"),
    ],
)
def test_wrong_usage_is_refused(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        compare(output=tmp_path / "c", **given)


def test_one_file_for_two_backbones_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.h5").write_text("")
    with pytest.raises(UsageError, match="one backbone only"):
        compare(
            "x", backbones=["vgg16", "alexnet"], weights=tmp_path / "one.h5", output=tmp_path / "c"
        )


def test_a_recipe_for_tumour_types_is_refused(quick: Recipe, tmp_path: Path) -> None:
    recipe = quick.for_task("tumour-type")
    with pytest.raises(InputError, match="systems are compared as detectors"):
        compare(backbones=["small_cnn"], recipe=recipe, cost_only=True, output=tmp_path / "c")
    assert not (tmp_path / "c").exists() or not list((tmp_path / "c").glob("systems"))
