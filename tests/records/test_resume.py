"""Going on: compared with what was begun before anything is written, finished results included."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image

from tumorscope.auditing.audit import audit
from tumorscope.cli.app import run as command
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.errors import InputError, UsageError
from tumorscope.experiments.crossval import crossval
from tumorscope.imaging import read_slice
from tumorscope.networks.backbones import build_backbone
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import identity_in, load_checkpoint, save_checkpoint
from tumorscope.records.protocol import data_hash
from tumorscope.records.resume import relocated
from tumorscope.training.plan import plan_run
from tumorscope.training.train import train

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")


class Begun(Protocol):
    """What the fixture `begun` holds."""

    cohort: Path
    recipe: Recipe
    finished: Path
    interrupted: Path
    crossval: Path


def held(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def go_on(kind: str, folder: Path, data: object, **how: object) -> object:
    if kind == "crossval":
        return crossval(data, folds=2, repeats=1, output=folder, resume=True, **how)
    return train(data, output=folder, resume=True, **how)


@pytest.fixture(params=["finished", "interrupted", "crossval"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(kind: str, begun: Begun, tmp_path: Path) -> Path:
    shutil.copytree(getattr(begun, kind), tmp_path / kind)
    return tmp_path / kind


def another_image(cohort: Path) -> None:
    noise = np.random.default_rng(99).integers(0, 255, (96, 96), dtype=np.uint8)
    Image.fromarray(noise).save(cohort / "no" / "another.png")


def edited(cohort: Path) -> None:
    another_image(cohort)
    (cohort / "no" / "another.png").replace(cohort / "no" / "no3.png")


CHANGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "added": (another_image, r"images: 12 \(6 with tumour\) then, 13"),
    "removed": (lambda data: (data / "no" / "no3.png").unlink(), "images: 12 .* then, 11"),
    "edited": (edited, "images or labels: 12"),
    "relabelled": (
        lambda data: (data / "no" / "no3.png").rename(data / "yes" / "no3.png"),
        r"12 \(6 with tumour\) then, 12 \(7 with tumour\) now",
    ),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_cohort_that_changed_is_refused(
    begun: Begun, kind: str, folder: Path, tmp_path: Path, change: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(begun.cohort, data)
    do, said = CHANGED[change]
    do(data)
    before = held(folder)
    with pytest.raises(InputError, match=said):
        go_on(kind, folder, data, recipe=begun.recipe, weights="none")
    assert held(folder) == before


def test_other_options_are_refused_by_name(
    begun: Begun, kind: str, folder: Path, tmp_path: Path
) -> None:
    cohort, recipe = begun.cohort, begun.recipe
    build_backbone("small_cnn", 32).save_weights(tmp_path / "w.weights.h5")
    longer = recipe.changed({"frozen": {"epochs": 3}})
    asked: list[tuple[dict[str, object], str]] = [
        ({"recipe": longer}, "recipe.frozen.epochs: 2 then, 3 now"),
        ({"recipe": recipe.changed({"seed": 5})}, "recipe.seed: 0 then, 5 now"),
        ({"split_by": "random"}, "split: group then, random now"),
        ({"weights": tmp_path / "w.weights.h5"}, r"none \(random\) then, w\.weights\.h5"),
    ]
    before = held(folder)
    for changes, said in asked:
        with pytest.raises(InputError, match=said) as caught:
            go_on(kind, folder, cohort, **{"recipe": recipe, "weights": "none", **changes})
        assert caught.value.exit_code == 3
        assert "nothing was changed" in str(caught.value)
    assert held(folder) == before


def test_the_same_elsewhere_and_by_another_name(
    begun: Begun, kind: str, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(begun.cohort, tmp_path / "moved")
    if kind == "crossval":  # whose folds name the paths of their images
        before = held(folder)
        with pytest.raises(InputError, match="holds other images than this fold"):
            go_on(kind, folder, tmp_path / "moved", recipe=begun.recipe, weights="none")
        assert held(folder) == before
        return
    recipe = begun.recipe.changed({"name": "renamed", "description": "words"})
    go_on(kind, folder, tmp_path / "moved", recipe=recipe, weights="none")
    scores = [
        path.read_text().splitlines()
        for path in (folder / "scores.csv", begun.finished / "scores.csv")
    ]
    ours, theirs = ([line.rsplit(",", 1)[1] for line in lines] for lines in scores)
    assert ours == theirs
    assert Recipe.load(folder / "recipe.toml") == begun.recipe


def test_masks_matter_only_to_a_recipe_that_learns_from_them(begun: Begun, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(begun.cohort, data)
    shutil.copytree(begun.finished, run)
    for path in sorted((data / "yes").iterdir()):
        white = np.full(read_slice(path).pixels.shape, 255, np.uint8)
        Image.fromarray(white).save(path.with_name(f"{path.stem}_mask.png"))
    go_on("finished", run, data, recipe=begun.recipe, weights="none")
    plain, outlined = (
        plan_run(data, recipe, "none", "group").protocol.data
        for recipe in (begun.recipe, learning_from_masks(begun.recipe))
    )
    assert plain.masks == ""
    assert outlined.masks
    assert outlined.content == plain.content


def learning_from_masks(recipe: Recipe) -> Recipe:
    return recipe.changed(
        {"network.head": "dense", "optimisation.places": 0.5, "fine_tuning.size": 0}
    )


def test_masks_are_where_the_given_manifest_has_them(tmp_path: Path) -> None:
    rows = [
        Row("a.png", "1" * 64, label=1, group="a", mask="old/a.png"),
        Row("b.png", "2" * 64, label=1, group="b", mask="old/b.png"),
        Row("c.png", "3" * 64, label=0, group="c"),
    ]
    given = [replace(row, path=f"new/{row.path}", mask="") for row in reversed(rows)]
    given[-1] = replace(given[-1], mask="masks/a.png")
    found = relocated(Manifest(tuple(rows), tmp_path), Manifest(tuple(given), tmp_path / "there"))
    there = tmp_path / "there"
    assert [row.path for row in found.rows] == [str(there / f"new/{each}.png") for each in "abc"]
    assert [row.mask for row in found.rows] == [str(there / "masks/a.png"), "", ""]


def test_a_manifest_of_other_groups_or_splits_is_refused(
    begun: Begun, folder: Path, kind: str, tmp_path: Path
) -> None:
    if kind == "crossval":
        pytest.skip("without sources left out, folds do not look at splits")
    kept = Manifest.load(begun.finished / "manifest.csv")
    how = {"recipe": begun.recipe, "weights": "none"}
    moved = {"testing": "tuning"}
    rows = [replace(row, split=moved.get(row.split, row.split)) for row in kept.rows]
    with pytest.raises(InputError, match="how images are split"):
        go_on(kind, folder, kept.having(rows), **how)
    parts: dict[str, str] = {}
    rows = [replace(row, group=parts.setdefault(row.split, row.group)) for row in kept.rows]
    with pytest.raises(InputError, match="which images belong together"):
        go_on(kind, folder, kept.having(rows), **how)


def test_a_manifest_that_was_edited_in_the_folder_is_refused(begun: Begun, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(begun.interrupted, folder)
    text = (folder / "manifest.csv").read_text()
    (folder / "manifest.csv").write_text(text.replace(",tuning,", ",training,"))
    with pytest.raises(InputError, match="was changed since the run"):
        go_on("run", folder, begun.cohort, recipe=begun.recipe, weights="none")


@pytest.fixture
def older(begun: Begun, tmp_path: Path) -> Path:
    """An interrupted run as versions before the record left it."""
    folder = tmp_path / "older"
    shutil.copytree(begun.interrupted, folder)
    path = folder / "checkpoint.bin"
    state = load_checkpoint(path, identity=identity_in(path))
    data = data_hash(Manifest.load(folder / "manifest.csv").usable)
    words = "\n".join(((folder / "recipe.toml").read_text(), data, "none (random)"))
    save_checkpoint(path, replace(state, identity=hashlib.sha256(words.encode()).hexdigest()))
    return folder


def test_an_interrupted_run_of_an_older_version_goes_on(
    begun: Begun, older: Path, tmp_path: Path
) -> None:
    build_backbone("small_cnn", 32).save_weights(tmp_path / "w.weights.h5")
    cohort, recipe = begun.cohort, begun.recipe
    before = held(older)
    with pytest.raises(InputError, match="other starting weights than"):
        go_on("run", older, cohort, recipe=recipe, weights=tmp_path / "w.weights.h5")
    with pytest.raises(InputError, match=r"recipe\.seed: 0 then, 5 now"):
        go_on("run", older, cohort, recipe=recipe.changed({"seed": 5}), weights="none")
    assert held(older) == before
    go_on("run", older, cohort, recipe=recipe, weights="none")
    assert (older / "run.json").exists()


def test_a_finished_run_of_an_older_version_is_compared(begun: Begun, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(begun.finished, folder)
    facts = json.loads((folder / "run.json").read_text())
    del facts["protocol"]
    (folder / "run.json").write_text(json.dumps(facts))
    cohort, recipe = begun.cohort, begun.recipe
    go_on("run", folder, cohort, recipe=recipe, weights="none")
    with pytest.raises(InputError, match=r"recipe\.seed: 0 then, 5 now"):
        go_on("run", folder, cohort, recipe=recipe.changed({"seed": 5}), weights="none")


def test_older_folds_are_gone_on_with(begun: Begun, tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    shutil.copytree(begun.crossval, folder)
    (folder / "folds" / "protocol.json").unlink()
    cohort, recipe = begun.cohort, begun.recipe
    how = {"recipe": recipe, "weights": "none"}
    with pytest.raises(InputError, match="does not say what its scores were made by"):
        go_on("crossval", folder, cohort, **how)
    data = data_hash(Manifest.load(folder / "manifest.csv").usable)
    (folder / "folds" / "protocol.txt").write_text(
        f"{recipe.to_toml()}\nweights = none\nfolds = 2\nrepeats = 1\n"
        f"split = group\ndata = {data}\n"
    )
    with pytest.raises(InputError, match=r"recipe\.seed"):
        go_on("crossval", folder, cohort, **(how | {"recipe": recipe.changed({"seed": 5})}))
    go_on("crossval", folder, cohort, **how)
    assert (folder / "folds" / "protocol.json").exists()


def test_a_failure_before_the_first_fold_blocks_nobody(begun: Begun, tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    (folder / "folds").mkdir(parents=True)
    shutil.copy(begun.crossval / "folds" / "protocol.json", folder / "folds")
    (tmp_path / "torn.h5").write_text("torn")
    cohort, recipe = begun.cohort, begun.recipe
    with pytest.raises(InputError, match="does not fit"):
        crossval(
            cohort, recipe=recipe, weights=tmp_path / "torn.h5", folds=2, repeats=1, output=folder
        )
    crossval(cohort, recipe=recipe, weights="none", folds=2, repeats=1, output=folder)


def test_the_command_refuses_with_3_and_says_what_differs(
    begun: Begun, folder: Path, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.toml").write_text(begun.recipe.to_toml())
    words = ["crossval", "--folds", "2", "--repeats", "1"] if kind == "crossval" else ["train"]
    words += [str(begun.cohort), "--recipe", str(tmp_path / "r.toml"), "--weights", "none"]
    before = held(folder)
    assert command([*words, "--seed", "3", "-o", str(folder), "--resume"]) == 3
    assert "recipe.seed: 0 then, 3 now" in capsys.readouterr().err
    assert held(folder) == before


def test_folds_are_gone_on_with_and_no_audit_is_written_over_them(
    begun: Begun, tmp_path: Path
) -> None:
    folder = shutil.copytree(begun.crossval, tmp_path / "folds")
    go_on("crossval", folder, begun.cohort, recipe=begun.recipe, weights="none")
    before = held(folder)
    with pytest.raises(UsageError, match="Cross-validation"):
        audit(begun.cohort, output=folder)
    assert held(folder) == before
