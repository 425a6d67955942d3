"""A run from end to end: what it writes, that it repeats, and that killing it loses nothing."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.fixtures.eager import eagerly
from tests.fixtures.forked import forked

from tumorscope.cli.app import run as run_command
from tumorscope.cohort.arrays import Images, load_images
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import split
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import HonestyError, InputError, OutputError, UsageError
from tumorscope.common.files import sha256_of
from tumorscope.detection.detector import Detector
from tumorscope.detection.overlay import write_overlay
from tumorscope.imaging import read_slice
from tumorscope.networks.predict import predict
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Checkpoint, save_checkpoint
from tumorscope.records.run_folder import Run
from tumorscope.training.export import export_run
from tumorscope.training.train import train


def divided(cohort: Path) -> Path:
    """Save a manifest with splits beside a cohort."""
    from tests.fixtures.audits import audit

    ready = split(audit(cohort, probes=False).manifest, fractions=(0.5, 0.25, 0.25))
    ready.save(cohort.parent / "manifest.csv")
    return cohort.parent / "manifest.csv"


@pytest.fixture
def manifest(tiny_cohort: Path) -> Path:
    return divided(tiny_cohort)


@pytest.fixture(scope="module")
def finished(finished_run: Path) -> Run:
    """Trained once, and not to be changed."""
    return Run.open(finished_run)


def lasting(folder: Path) -> list[dict[str, str]]:
    records = read_csv(folder / "history.csv")
    return [{key: value for key, value in each.items() if key != "seconds"} for each in records]


def test_it_writes_what_the_contract_says(finished: Run, quick: Recipe) -> None:
    run = finished
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        "recipe.toml",
        "manifest.csv",
        "history.csv",
        "scores.csv",
        "model.keras",
        "model.onnx",
        "run.json",
    }
    assert run.recipe == quick
    assert len(run.history) == 4
    scores = read_csv(run.folder / "scores.csv")
    assert list(scores[0]) == ["path", "label", "split", "score"]
    assert {row["path"] for row in scores} == {row.path for row in run.manifest.rows}
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["notice"].startswith("Research use only")
    assert facts["split"] == "grouped"
    assert sum(facts["images"].values()) == 12
    assert {"tumorscope", "keras", "numpy", "python"} <= set(facts["versions"])


def test_another_seed_gives_other_scores(
    finished: Run, drawn_tiny_cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    """That the same gives the same is what a run that was killed and one that was not show."""
    other = quick.model_copy(update={"seed": 1})
    with eagerly():
        run = train(finished.manifest, recipe=other, weights="none", output=tmp_path / "other")
    assert read_csv(run.folder / "scores.csv") != read_csv(finished.folder / "scores.csv")


def test_the_saved_model_gives_the_saved_scores(finished: Run, quick: Recipe) -> None:
    run = finished
    pixels = load_images(run.manifest, quick.input.preprocessing).pixels
    saved = [float(row["score"]) for row in read_csv(run.folder / "scores.csv")]
    np.testing.assert_allclose(predict(run.load_model(), pixels, quick), saved, atol=1e-6)


def train_and_tell(words: list[str], told: Connection) -> None:
    """Run the command, and tell how many epochs are kept after each."""

    def saved(path: Path, kept: Checkpoint) -> None:
        save_checkpoint(path, kept)
        told.send(len(kept.history))

    with eagerly(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("tumorscope.training.fit.save_checkpoint", saved)
        run_command(words)


@pytest.mark.slow
def test_kill_9_in_either_phase_loses_nothing(
    finished: Run, drawn_tiny_cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "quick.toml").write_text(quick.to_toml())
    folder = tmp_path / "killed"
    words = ["train", str(drawn_tiny_cohort), "--recipe", str(tmp_path / "quick.toml")]
    words += ["--weights", "none", "-o", str(folder), "--resume", "--quiet"]
    for epochs in (1, 3):
        process, hear = forked(train_and_tell, words)
        while hear.recv() < epochs:
            pass
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert not (folder / "run.json").exists()
        with (folder / "checkpoint.bin").open("rb") as stream:
            assert len(json.loads(bytes(np.load(stream)))["history"]) >= epochs
    with pytest.raises(UsageError, match="--resume"):
        train(drawn_tiny_cohort, recipe=quick, weights="none", output=folder)
    with pytest.raises(InputError, match="unfinished"):
        Run.open(folder)
    with eagerly():
        train(drawn_tiny_cohort, recipe=quick, weights="none", output=folder, resume=True)
    assert lasting(folder) == lasting(finished.folder)
    assert (folder / "scores.csv").read_text() == (finished.folder / "scores.csv").read_text()
    assert not (folder / "checkpoint.bin").exists()


def test_a_finished_run_is_not_overwritten(
    finished: Run, drawn_tiny_cohort: Path, quick: Recipe
) -> None:
    run, cohort = finished, drawn_tiny_cohort
    before = (run.folder / "scores.csv").stat().st_mtime_ns
    with pytest.raises(UsageError, match="finished run"):
        train(cohort, recipe=quick, weights="none", output=run.folder)
    train(cohort, recipe=quick, weights="none", output=run.folder, resume=True)
    assert (run.folder / "scores.csv").stat().st_mtime_ns == before


def test_divided_groups_are_refused(manifest: Path, quick: Recipe, tmp_path: Path) -> None:
    loaded = Manifest.load(manifest)
    rows = [replace(row, group="one") if row.label else row for row in loaded.rows]
    loaded.having(rows).save(manifest)
    with pytest.raises(HonestyError, match="more than one split"):
        train(manifest, recipe=quick, weights="none", output=tmp_path / "run")


@pytest.mark.parametrize("known", ["bytes", "picture", "flags"])
def test_copies_on_two_sides_are_refused_whatever_their_groups_are_called(
    manifest: Path, quick: Recipe, tmp_path: Path, known: str
) -> None:
    loaded = Manifest.load(manifest)
    trained = loaded.of_split("training").rows[0]
    copy = tmp_path / "copy.png"
    if known == "bytes":
        shutil.copy(loaded.file(trained), copy)
    else:
        Image.open(loaded.file(trained)).resize((120, 120)).save(copy)
    flags = ("near-duplicate",) if known == "flags" else ()
    picture = "one" if known == "picture" else ""
    other = replace(
        trained, path="copy.png", sha256=sha256_of(copy), split="testing", group="somebody else",
        flags=flags, picture=picture,
    )  # fmt: skip
    rows = [
        replace(row, flags=flags, picture=picture) if row == trained else row for row in loaded.rows
    ]
    with pytest.raises(HonestyError, match=r"copy.png in testing"):
        train(
            Manifest((*rows, other), loaded.root),
            recipe=quick,
            weights="none",
            output=tmp_path / "run",
        )
    assert not (tmp_path / "run" / "recipe.toml").exists()


def test_images_without_a_split_are_named_and_used_for_nothing(
    manifest: Path, swift: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = Manifest.load(manifest)

    def without(name: str) -> Manifest:
        rows = (replace(row, split="") if row.split == name else row for row in loaded.rows)
        return loaded.having(rows)

    with pytest.raises(InputError, match="training holds 0 images"):
        train(without("training"), recipe=swift, weights="none", output=tmp_path / "none")
    assert not (tmp_path / "none" / "recipe.toml").exists()
    without("testing").save(tmp_path / "given.csv")
    words = [
        "train",
        str(tmp_path / "given.csv"),
        "--recipe",
        str(tmp_path / "swift.toml"),
        "--weights",
        "none",
    ]
    (tmp_path / "swift.toml").write_text(swift.to_toml())
    capsys.readouterr()
    assert run_command([*words, "-o", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr()
    assert "6 training, 2 tuning, 4 without split; those without split are used" in printed.out
    assert "4 images lie in no split" in printed.err
    images = {"training": 6, "tuning": 2, "without split": 4}
    assert Run.open(tmp_path / "run").facts["images"] == images


def test_changed_and_missing_files_are_refused(
    manifest: Path, quick: Recipe, tmp_path: Path
) -> None:
    rows = Manifest.load(manifest).rows
    with (tmp_path / rows[0].path).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(InputError, match="changed since the audit"):
        train(manifest, recipe=quick, weights="none", output=tmp_path / "run")
    (tmp_path / rows[0].path).unlink()
    with pytest.raises(InputError, match="no longer exist"):
        train(manifest, recipe=quick, weights="none", output=tmp_path / "run")


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    manifest: Path, quick: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        train(manifest, recipe=quick, weights="none", output=tmp_path / "file" / "run")


def test_folders_are_audited_and_split(tiny_cohort: Path, swift: Recipe, tmp_path: Path) -> None:
    run = train(tiny_cohort, recipe=swift, weights="none", output=tmp_path / "run")
    assert {row.split for row in run.manifest.rows} == {"training", "tuning", "testing"}
    run.manifest.check_groups()


def test_one_image_of_a_class_is_too_few(tiny_cohort: Path, quick: Recipe, tmp_path: Path) -> None:
    for extra in sorted((tiny_cohort / "no").iterdir())[1:]:
        extra.unlink()
    with pytest.raises(InputError):
        train(tiny_cohort, recipe=quick, weights="none", output=tmp_path / "run")


def outline(manifest: Path) -> None:
    """Say of one tumour where it is."""
    mask = np.zeros((96, 96), np.uint8)
    mask[20:40, 40:60] = 255
    Image.fromarray(mask).save(manifest.parent / "mask.png")
    known = Manifest.load(manifest)
    first = next(row for row in known.rows if row.label)
    rows = [replace(row, mask="mask.png") if row is first else row for row in known.rows]
    replace(known, rows=tuple(rows)).save(manifest)


def test_a_training_on_places_ends_in_a_detector_that_shows_where(
    manifest: Path,
    quick: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    masks: list[NDArray[np.uint8] | None] = []

    def noted(*given: Any, **options: Any) -> Images:
        images = load_images(*given, **options)
        masks.extend(images.masks)
        return images

    monkeypatch.setattr("tumorscope.training.train.load_images", noted)
    outline(manifest)
    document = quick.model_dump()
    document |= {
        "input": document["input"] | {"size": 64},
        "network": document["network"] | {"head": "dense", "channels": 8, "temperature": 2.0},
        "augmentation": {"variants": 1, "lesions": 0.5},
        "frozen": {"epochs": 1},
        "fine_tuning": {"epochs": 1, "from_layer": "conv_3"},
        "optimisation": {"batch_size": 4, "places": 0.5},
    }
    with eagerly():
        run = train(
            manifest, recipe=Recipe.parse(document), weights="none", output=tmp_path / "run"
        )
    assert sum(mask is not None for mask in masks) == 1
    assert "For training: Masks: 1 of " in capsys.readouterr().err
    with (run.folder / "history.csv").open() as stream:
        columns = stream.readline().strip().split(",")
    assert columns[columns.index("accuracy") + 1] == "places_loss"
    assert all(float(record["places_loss"]) > 0 for record in run.history)
    detector = Detector.load(run.folder / "model.onnx")
    assert detector.metadata.grid == (4, 4)
    scan = read_slice(run.manifest.file(run.manifest.rows[0]))
    finding = detector.detect(scan)
    assert finding.evidence is not None
    assert finding.logit is not None
    assert finding.bias is not None
    assert finding.evidence.shape == (4, 4)
    assert finding.logit == pytest.approx(float(finding.evidence.sum()) + finding.bias, abs=1e-4)
    write_overlay(tmp_path / "overlay.png", scan, finding, detector.metadata)
    assert (tmp_path / "overlay.png").stat().st_size > 1000
    # Again from disk, and from the Keras model alone.
    exported = export_run(run.folder, tmp_path / "again.onnx")
    assert exported.metadata.grid == (4, 4)
    saved = [float(row["score"]) for row in read_csv(run.folder / "scores.csv")]
    pixels = load_images(run.manifest, run.recipe.input.preprocessing).pixels
    np.testing.assert_allclose(predict(run.load_model(), pixels, run.recipe), saved, atol=1e-6)
