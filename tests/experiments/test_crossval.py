"""Cross-validation: groups stay whole, every image is held out, finished folds are kept."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.fixtures.audits import audit
from tests.fixtures.trained import changed

from tumorscope.cli.app import run
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import InputError, UsageError
from tumorscope.experiments.crossval import CrossValidation, crossval
from tumorscope.experiments.learner import finite_scores
from tumorscope.networks.backbones import build_backbone
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Record
from tumorscope.training.fit import Fitter
from tumorscope.training.trainer import DivergedError

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")


OPTIONS: dict[str, Any] = {"weights": "none", "folds": 3, "repeats": 2}


@dataclass(frozen=True)
class Finished:
    """A cross-validation that is done, and what it was asked; its folder is to be copied."""

    cohort: Path
    recipe: Recipe
    found: CrossValidation

    def again(self, folder: Path, **changes: Any) -> CrossValidation:
        return crossval(self.cohort, output=folder, **({"recipe": self.recipe} | OPTIONS | changes))


@pytest.fixture(scope="module")
def finished(
    eager: None,
    unplotted: None,
    drawn_tiny_cohort: Path,
    swift: Recipe,
    tmp_path_factory: pytest.TempPathFactory,
) -> Finished:
    """The tiny cohort with two byte-identical copies, in a folder with a space in its name."""
    root = tmp_path_factory.mktemp("crossval")
    cohort = shutil.copytree(drawn_tiny_cohort, root / "a cohort")
    shutil.copy(cohort / "yes" / "yes0.png", cohort / "yes" / "copy.png")
    shutil.copy(cohort / "no" / "no0.png", cohort / "no" / "copy.png")
    found = crossval(cohort, recipe=swift, output=root / "my folder", **OPTIONS)
    return Finished(cohort, swift, found)


def test_every_image_is_scored_once_per_repeat_with_its_copies(finished: Finished) -> None:
    result = finished.found
    records = read_csv(result.folder / "scores.csv")
    assert list(records[0]) == ["path", "label", "repeat", "fold", "score"]
    assert len(records) == len(result.manifest) * 2
    assert len({(row["path"], row["repeat"]) for row in records}) == len(records)
    assert np.isfinite(result.scores).all()
    for group in set(result.manifest.groups.tolist()):
        members = result.manifest.groups == group
        assert all(len(set(column)) == 1 for column in result.folds[members].T)
    assert (result.folder / "report.html").exists()
    assert result.metrics.to_json()["split"] == "grouped"


def test_finished_folds_are_kept_and_the_result_is_the_same(
    finished: Finished, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    shutil.copytree(finished.found.folder / "folds", half / "folds")
    (half / "folds" / "repeat-1-fold-1.csv").unlink()
    kept = half / "folds" / "repeat-0-fold-0.csv"
    before = kept.stat().st_mtime_ns
    with pytest.raises(UsageError, match="--resume"):
        finished.again(half)
    again = finished.again(half, resume=True)
    assert kept.stat().st_mtime_ns == before
    np.testing.assert_allclose(again.scores, finished.found.scores, atol=1e-8)
    with pytest.raises(InputError, match="another recipe"):
        finished.again(half, resume=True, folds=2)
    # Rows in another order, the same in number: their scores must not go to other images.
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    with pytest.raises(InputError, match="in another order"):
        finished.again(half, resume=True)


def test_the_command_in_the_report_can_be_run_as_it_stands(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = finished.found.folder
    words = shlex.split(json.loads((folder / "metrics.json").read_text())["command"])
    assert words[0] == "tumorscope"
    assert run(words[1:]) == 0
    np.testing.assert_allclose(
        [float(row["score"]) for row in read_csv(Path("CV", "scores.csv"))],
        [float(row["score"]) for row in read_csv(folder / "scores.csv")],
        atol=1e-6,
    )


def test_the_random_split_says_that_it_leaks(finished: Finished, tmp_path: Path) -> None:
    result = finished.again(tmp_path / "cv", split_by="random", folds=2, repeats=1)
    assert result.metrics.to_json()["split"] == "random"
    page = (tmp_path / "cv" / "report.html").read_text()
    title = page[page.index("<h1>") : page.index("</h1>")]
    assert "leak" in title.lower()


@pytest.mark.parametrize(("folds", "repeats"), [(1, 1), (3, 0)])
def test_impossible_numbers_are_refused(tmp_path: Path, folds: int, repeats: int) -> None:
    with pytest.raises(UsageError, match="at least 2 folds"):
        crossval("a cohort", folds=folds, repeats=repeats, output=tmp_path / "cv")


@pytest.fixture
def places(tiny_cohort: Path) -> Manifest:
    """The tiny cohort as if from three places; the first images of a and b are of one patient."""
    found = audit(tiny_cohort, probes=False).manifest
    rows = [
        replace(row, source="abc"[index % 3], group=f"g{index}")
        for index, row in enumerate(sorted(found.rows, key=lambda row: (row.path[-5], row.path)))
    ]
    rows[1] = replace(rows[1], group=rows[0].group)
    return Manifest(tuple(rows), found.root)


def test_sources_are_left_out_with_what_belongs_to_them(
    places: Manifest, quick: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[set[int], set[int]]] = []
    original = Fitter.fit

    def watch(self: Fitter, **how: Any) -> list[Record]:
        shown.append((set(how["training"].tolist()), set(how["tuning"].tolist())))
        return original(self, **how)

    monkeypatch.setattr(Fitter, "fit", watch)
    brief = changed(quick, "brief", {"frozen": {"epochs": 1}, "fine_tuning": {"epochs": 0}})
    result = crossval(
        places, recipe=brief, weights="none", output=tmp_path / "cv", hold_out=[["a"], ["b"]]
    )
    sources = np.array([row.source for row in places.rows])
    for fold, source in enumerate("ab"):
        used = shown[fold][0] | shown[fold][1]
        assert not used & set(np.flatnonzero(sources == source).tolist())
        assert not used & {0, 1}
        assert {row.source for row in result.manifest.rows} == {"a", "b"}
    records = read_csv(tmp_path / "cv" / "scores.csv")
    assert len(records) == len(result.manifest) == np.isin(sources, ["a", "b"]).sum()
    assert "sources left out" in (tmp_path / "cv" / "report.html").read_text("utf-8")


def test_every_source_in_turn_and_testing_images_never_train(
    places: Manifest, swift: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        replace(row, split="testing" if index in (5, 8) else "")
        for index, row in enumerate(places.rows)
    ]
    original = Fitter.fit

    def watch(self: Fitter, **how: Any) -> list[Record]:
        used = [rows[index] for part in ("training", "tuning") for index in how[part]]
        assert used
        assert all(row.split != "testing" for row in used)
        return original(self, **how)

    monkeypatch.setattr(Fitter, "fit", watch)
    marked = Manifest(tuple(rows), places.root)
    result = crossval(
        marked, recipe=swift, weights="none", output=tmp_path / "cv", hold_out=[["each"]]
    )
    assert len(result.manifest) == len(places)
    assert sorted(set(result.folds[:, 0].tolist())) == [0, 1, 2]


@pytest.mark.parametrize("out", [[["each"]], [["a", "b", "c"]]])
def test_something_must_be_left_to_train_on(
    places: Manifest, quick: Recipe, tmp_path: Path, out: list[list[str]]
) -> None:
    one = places
    if out == [["each"]]:
        one = Manifest(tuple(replace(row, source="a") for row in places.rows), places.root)
    with pytest.raises(InputError, match="0 are left to train on"):
        crossval(one, recipe=quick, weights="none", output=tmp_path / "cv", hold_out=out)


def test_folds_of_a_file_that_was_replaced_are_refused(finished: Finished, tmp_path: Path) -> None:
    backbone = build_backbone("small_cnn", 32)
    backbone.save_weights(tmp_path / "w.weights.h5")
    options: dict[str, Any] = {"weights": tmp_path / "w.weights.h5", "folds": 2, "repeats": 1}
    finished.again(tmp_path / "cv", **options)
    backbone.set_weights([0.5 * each for each in backbone.get_weights()])
    backbone.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(InputError, match="another recipe, cohort, protocol"):
        finished.again(tmp_path / "cv", resume=True, **options)


@pytest.mark.parametrize("damage", ["path,label\n", "", "score", "2.5"])
def test_a_damaged_fold_is_named(finished: Finished, tmp_path: Path, damage: str) -> None:
    folder = shutil.copytree(finished.found.folder, tmp_path / "cv")
    fold = folder / "folds" / "repeat-0-fold-1.csv"
    if damage in ("score", "2.5"):
        lines = fold.read_text().splitlines()
        lines[1] = lines[1].rpartition(",")[0] + f",{damage}"
        fold.write_text("\n".join(lines) + "\n")
    else:
        fold.write_text(damage)
    with pytest.raises(InputError, match=r"repeat-0-fold-1\.csv"):
        finished.again(folder, resume=True)


@pytest.mark.parametrize("values", [[np.nan, 0.5], [np.inf, 0.5]])
def test_scores_that_are_no_numbers_are_never_kept(values: list[float]) -> None:
    class Diverged:
        def fit(self, known: Any, *, seed: int, on_epoch: object = None) -> None: ...

        def predict(self, _: Any) -> NDArray[np.float64]:
            return np.array(values)

    with pytest.raises(DivergedError, match="not numbers after the last epoch"):
        finite_scores(Diverged(), np.array([0, 1]))


@pytest.mark.parametrize("wrong", [[["a"], ["nowhere"]], [["a", "b"], ["a"]]])
def test_unknown_and_repeated_sources_are_refused(
    places: Manifest, quick: Recipe, tmp_path: Path, wrong: list[list[str]]
) -> None:
    with pytest.raises(UsageError, match="of a,b,c"):
        crossval(places, recipe=quick, weights="none", output=tmp_path / "cv", hold_out=wrong)
