"""A run knows what it has seen, also when its training images are gone, moved or changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.assessment.evaluate import evaluate
from tumorscope.assessment.thumbprints import seen_by
from tumorscope.cohort.scan import scan_folder
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.duplicates import thumbprint_v1
from tumorscope.imaging import read_slice
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.model_file.schema import Prints, TrainingThumbprints
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.run_folder import Run
from tumorscope.synthetic.phantom import write_phantom_cohort
from tumorscope.training.train import train

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")

LOST = ("gone", "changed", "some gone")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the cohort data/ and two runs of it, run/ and types/."""
    folder = tmp_path_factory.mktemp("seen")
    write_phantom_cohort(folder / "data", n=24, seed=5)
    recipe = Recipe.load("paper")
    changes: dict[str, dict[str, object]] = {
        "input": {"size": 32},
        "augmentation": {"variants": 1},
        "network": {"backbone": "small_cnn", "units": 8},
        "frozen": {"epochs": 1},
        "fine_tuning": {"epochs": 0},
    }
    parts = {name: getattr(recipe, name).model_copy(update=new) for name, new in changes.items()}
    recipe = recipe.model_copy(update={"name": "quick", **parts})
    train(folder / "data", recipe=recipe, weights="none", output=folder / "run")
    kinds = ("glioma", "meningioma", "pituitary")
    listed = scan_folder(folder / "data")
    typed = listed.having(
        replace(row, tumour_type=kinds[index % 3] if row.label else "")
        for index, row in enumerate(listed.rows)
    )
    typed.save(folder / "typed.csv")
    types = recipe.for_task("tumour-type")
    train(folder / "typed.csv", recipe=types, weights="none", output=folder / "types")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Path:
    """A copy of the folder, and again/ with its training images saved anew."""
    place = tmp_path / "place"
    shutil.copytree(trained, place)
    for listed in place.glob("*/*.csv"):  # which name the images in full
        listed.write_text(listed.read_text("utf-8").replace(str(trained), str(place)), "utf-8")
    for name, column in (("run", "yes no"), ("types", "glioma meningioma pituitary notumor")):
        manifest = Run.open(place / name).manifest
        for row in manifest.of_split("training").rows:
            kind = (row.tumour_type or "notumor") if name == "types" else ("no", "yes")[row.label]
            assert kind in column
            target = place / f"again-{name}" / kind
            target.mkdir(parents=True, exist_ok=True)
            with Image.open(manifest.file(row)) as image:
                small = image.convert("L").resize((180, 200))
            small.save(target / (Path(row.path).stem + ".jpg"), quality=85)
    return place


def lose(place: Path, how: str) -> None:
    for index, path in enumerate(sorted((place / "data").glob("*/*.png"))):
        if how == "changed":
            path.write_bytes(path.read_bytes() + b"\0")
        elif how == "gone" or index % 2:
            path.unlink()


@pytest.mark.parametrize("how", [None, *LOST])
def test_seen_images_are_refused_with_the_training_images_and_without(
    place: Path, how: str | None
) -> None:
    if how:
        lose(place, how)
    with pytest.raises(HonestyError, match="used to train"):
        evaluate(place / "run", place / "again-run", output=place / "report")
    assert not (place / "report" / "report.html").exists()


@pytest.mark.parametrize("how", LOST)
def test_so_are_those_of_a_run_for_tumour_types(place: Path, how: str) -> None:
    lose(place, how)
    with pytest.raises(HonestyError, match="used to train"):
        evaluate(place / "types", place / "again-types", output=place / "report")


@pytest.mark.parametrize("kept", ["missing", "damaged", "of other data", "empty", "withheld"])
def test_where_no_thumbprint_helps_it_stops_and_counts(place: Path, kept: str) -> None:
    lose(place, "gone")
    model = place / "run" / "model.onnx"
    read = read_model(model)
    if kept == "of other data":
        data = {**read.metadata.data, "sha256": "0" * 64}
        write_model(model, read.graph, read.metadata.model_copy(update={"data": data}))
    elif kept in ("empty", "withheld"):
        seen = TrainingThumbprints(withheld=kept == "withheld")
        write_model(model, read.graph, read.metadata.model_copy(update={"seen": seen}))
    elif kept == "damaged":
        model.write_bytes(model.read_bytes()[:500])
    else:
        model.unlink()
    known = len(Run.open(place / "run").manifest.of_split("training", "tuning"))
    said = f"{known} of the {known} images of its training"
    if kept == "damaged":  # which is refused for itself, before anything is looked for
        said = r"model\.onnx"
    with pytest.raises(InputError, match=said):
        evaluate(place / "run", place / "again-run", output=place / "report")
    assert not (place / "report" / "report.html").exists()
    if kept in ("missing", "empty", "withheld"):  # else the model file is refused for itself
        told = evaluate(
            place / "run", place / "again-run", output=place / "report", allow_seen=True
        )
        assert "cannot be told" in told.report.read_text("utf-8")


def test_the_same_files_are_known_by_their_hash_alone(place: Path) -> None:
    manifest = Run.open(place / "types").manifest
    row = manifest.of_split("training").rows[0]
    moved = place / "moved" / (row.tumour_type or "notumor")
    shutil.copytree(place / "again-types", place / "moved")
    shutil.copy(manifest.file(row), moved / "same.png")
    (place / "types" / "seen.json").unlink()
    lose(place, "gone")
    with pytest.raises(HonestyError, match=r"1 of .*same\.png"):
        evaluate(place / "types", place / "moved", output=place / "report")


def test_a_run_of_the_version_before_is_checked_by_its_own_thumbprints(place: Path) -> None:
    run = Run.open(place / "run")
    known = run.manifest.of_split("training", "tuning")
    prints = [thumbprint_v1.thumbprint(read_slice(run.manifest.file(row))) for row in known.rows]
    inherited = np.full((1, 256), 60, np.int8)
    model = read_model(run.folder / "model.onnx")
    seen = TrainingThumbprints.pack(np.concatenate([np.stack(prints), inherited]))
    old = model.metadata.model_copy(update={"seen": seen})
    write_model(run.folder / "model.onnx", model.graph, old)
    lose(place, "gone")
    found = seen_by(run)
    assert found is not None
    assert (found.count, [each.count for each in found.inherited]) == (len(known), [1])
    with pytest.raises(HonestyError, match="used to train"):
        evaluate(run, place / "again-run", output=place / "report")


@pytest.mark.parametrize("withheld", [False, True])
def test_a_model_file_without_thumbprints_is_not_measured_without_a_word(
    place: Path, withheld: bool
) -> None:
    model = read_model(place / "run" / "model.onnx")
    seen = TrainingThumbprints(withheld=withheld)
    if withheld:  # also where it knows what its starting weights have seen
        seen = seen.model_copy(update={"inherited": (Prints.pack(np.full((1, 256), 60, np.int8)),)})
    bare = model.metadata.model_copy(update={"seen": seen})
    path = write_model(place / "bare.onnx", model.graph, bare).path
    with pytest.raises(InputError, match="holds no thumbprints"):
        evaluate(path, place / "again-run", output=place / "report")
    result = evaluate(path, place / "again-run", output=place / "report", allow_seen=True)
    assert "cannot be told" in result.report.read_text("utf-8")
