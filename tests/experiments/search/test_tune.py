"""Search: nested, resumable, pruned, and honest about which figure was tuned on."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("optuna", reason="needs the tune extra")


from tests.experiments.search.conftest import manifest_of, search_options, write_weights

from tumorscope.cli.app import run
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import HonestyError, InputError, UsageError
from tumorscope.experiments.search.objective import SharedNetwork
from tumorscope.experiments.search.result import Search
from tumorscope.experiments.search.storage import IDENTITY, finished
from tumorscope.experiments.search.tune import tune
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Record
from tumorscope.training.fit import Fitter

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")


@dataclass(frozen=True)
class Nested:
    """A search with two outer folds, and what its networks were shown."""

    found: Search
    used: list[set[int]]
    asked: list[set[int]]


@pytest.fixture(scope="module")
def searched(
    eager: None,
    unplotted: None,
    swift: Recipe,
    drawn_tiny_cohort: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Search:
    """A finished search of two trials, without outer folds; its folder is to be copied."""
    folder = tmp_path_factory.mktemp("searched")
    return tune(trials=2, outer_folds=0, **search_options(swift, drawn_tiny_cohort, folder))


@pytest.fixture(scope="module")
def nested(
    eager: None,
    unplotted: None,
    swift: Recipe,
    drawn_tiny_cohort: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Nested:
    used: list[set[int]] = []
    asked: list[set[int]] = []
    fit, predict = Fitter.fit, Fitter.predict

    def watch_fit(self: Fitter, **how: Any) -> Any:
        used.append({*how["training"].tolist(), *how["tuning"].tolist()})
        return fit(self, **how)

    def watch_predict(self: Fitter, indices: NDArray[np.int64]) -> Any:
        asked.append(set(indices.tolist()))
        return predict(self, indices)

    options = search_options(swift, drawn_tiny_cohort, tmp_path_factory.mktemp("nested"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fitter, "fit", watch_fit)
        patch.setattr(Fitter, "predict", watch_predict)
        found = tune(trials=2, outer_folds=2, **options)
    return Nested(found, used, asked)


def _copied(search: Search, options: dict[str, Any]) -> None:
    shutil.copytree(search.folder, options["output"])


def test_outer_images_are_never_seen_by_their_search(nested: Nested) -> None:
    records = read_csv(nested.found.folder / "scores.csv")
    folds = np.array([int(record["fold"]) for record in records])
    used, asked = nested.used, nested.asked
    # Calls come in the order of the outer folds; each ends with its one outer scoring.
    for fold in (0, 1):
        outer = set(np.flatnonzero(folds == fold).tolist())
        end = next(index for index, each in enumerate(asked) if each == outer)
        assert all(not (each & outer) for each in used[: end + 1])
        assert all(not (each & outer) for each in asked[:end])
        used, asked = used[end + 1 :], asked[end + 1 :]
    assert nested.found.metrics is not None
    assert nested.found.metrics.n == 12
    document = json.loads((nested.found.folder / "tuning.json").read_text())
    assert set(document["inner_optimistic"]) == {"outer-0", "outer-1", "final"}
    assert document["nested"]["n"] == 12
    report = (nested.found.folder / "report.html").read_text("utf-8")
    assert report.index("Nested: every image") < report.index("Too good:")
    best = Recipe.load(nested.found.folder / "best.toml")
    assert best.name == "swift-tuned"
    assert best.frozen.learning_rate == pytest.approx(document["best"]["frozen.learning_rate"])


def test_outer_folds_are_kept_while_their_recipe_is_the_same(
    nested: Nested, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _copied(nested.found, options)
    options |= {"data": options["output"] / "manifest.csv"}  # the images, where they lay
    outer = options["output"] / "outer"
    # A former version kept a hash of search and recipe.
    kept = json.loads((outer / "fold-0.json").read_text())
    key = nested.found.studies["outer-0"].user_attrs[IDENTITY]
    toml = Recipe.parse(kept["recipe"]).to_former_toml()
    (outer / "fold-0.recipe").write_text(hashlib.sha256(f"{key}\n{toml}".encode()).hexdigest())
    (outer / "fold-0.json").unlink()
    fits = []
    fit = Fitter.fit

    def count(self: Fitter, **how: Any) -> list[Record]:
        fits.append(how)
        return fit(self, **how)

    monkeypatch.setattr(Fitter, "fit", count)
    tune(trials=2, outer_folds=2, **options)
    assert not fits
    there, again = (folder / "scores.csv" for folder in (nested.found.folder, options["output"]))
    assert read_csv(again) == read_csv(there)
    # As where more trials find a better one.
    kept["recipe"]["network"]["dropout"] = 0.123
    (outer / "fold-1.json").write_text(json.dumps(kept))
    tune(trials=2, outer_folds=2, **options)
    assert len(fits) == 1


def test_a_damaged_score_of_an_outer_fold_is_named(nested: Nested, options: dict[str, Any]) -> None:
    _copied(nested.found, options)
    options |= {"data": options["output"] / "manifest.csv"}  # the images, where they lay
    kept = options["output"] / "outer" / "fold-0.csv"
    lines = kept.read_text().splitlines()
    lines[1] = lines[1].rsplit(",", 1)[0] + ",oops"
    kept.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"fold-0\.csv"):
        tune(trials=2, outer_folds=2, **options)


def test_going_on_adds_trials_and_keeps_those_there_are(
    searched: Search, options: dict[str, Any]
) -> None:
    assert searched.metrics is None
    assert "no result" in (searched.folder / "report.html").read_text("utf-8")
    before = [trial.datetime_complete for trial in searched.studies["final"].trials]
    _copied(searched, options)
    more = tune(trials=3, outer_folds=0, **options)
    trials = more.studies["final"].trials
    assert [trial.datetime_complete for trial in trials][:2] == before
    assert finished(more.studies["final"]) == 3


def test_another_search_in_the_same_database_is_refused(
    searched: Search, options: dict[str, Any]
) -> None:
    _copied(searched, options)
    with pytest.raises(InputError, match=r"search\.seed: 0 then, 5 now"):
        tune(trials=1, outer_folds=0, **(options | {"seed": 5}))
    # Searches of three outer folds have seen images that two would hold out.
    with pytest.raises(InputError, match="another recipe, cohort, protocol"):
        tune(trials=1, outer_folds=2, **options)


def test_a_search_that_goes_on_draws_what_it_would_have_drawn(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SharedNetwork, "estimator", _guesser)
    whole = tune(trials=3, outer_folds=0, **options)
    halves = options | {"output": options["output"].parent / "halves"}
    tune(trials=1, outer_folds=0, **halves)
    resumed = tune(trials=3, outer_folds=0, **halves)
    drawn = [trial.params for trial in whole.studies["final"].trials]
    assert [trial.params for trial in resumed.studies["final"].trials] == drawn
    assert len({params["network.dropout"] for params in drawn}) == 3


def test_a_cohort_that_differs_leaves_the_folder_as_it_was(
    searched: Search, options: dict[str, Any]
) -> None:
    _copied(searched, options)
    folder = options["output"]
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    next(options["data"].rglob("*.png")).unlink()
    with pytest.raises(InputError, match=r"images: 12 \(6 with tumour\) then, 11"):
        tune(trials=1, outer_folds=0, **options)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_the_manifest_of_the_search_can_be_given_again(
    searched: Search, options: dict[str, Any]
) -> None:
    _copied(searched, options)
    kept = options["output"] / "manifest.csv"
    before = kept.read_bytes()
    again = tune(trials=3, outer_folds=0, **(options | {"data": kept}))
    assert finished(again.studies["final"]) == 3
    assert kept.read_bytes() == before


def test_the_testing_part_is_left_out_and_that_is_said(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = manifest_of(options)
    rows = [
        replace(row, split="testing" if row.path.endswith(("0.png", "1.png")) else "training")
        for row in whole.rows
    ]
    result = tune(trials=1, outer_folds=0, **(options | {"data": whole.having(rows)}))
    assert "4 images of the testing part are left out" in capsys.readouterr().err
    searched = Manifest.load(options["output"] / "manifest.csv")
    assert {row.split for row in searched.rows} == {"training"}
    assert (len(searched), result.testing) == (8, 4)
    assert json.loads((options["output"] / "tuning.json").read_text())["testing_left_out"] == 4
    page = (options["output"] / "report.html").read_text("utf-8")
    assert "4 images of the testing part were left out" in page
    rows = [replace(row, split="testing") for row in rows]
    elsewhere = {"data": whole.having(rows), "output": options["output"].parent / "other"}
    with pytest.raises(InputError, match="cannot be tested on"):
        tune(trials=1, outer_folds=0, **(options | elsewhere))
    assert not elsewhere["output"].exists()


def test_copies_of_testing_images_choose_no_recipe(options: dict[str, Any]) -> None:
    whole = manifest_of(options)
    shared = whole.rows[1].group
    rows = [
        replace(row, split="testing" if number == 0 else "training", group=shared)
        if number < 2
        else replace(row, split="training")
        for number, row in enumerate(whole.rows)
    ]
    with pytest.raises(HonestyError, match="more than one split"):
        tune(trials=1, outer_folds=0, **(options | {"data": whole.having(rows)}))
    assert not options["output"].exists()


def test_tumour_types_are_refused_before_anything_is_written(options: dict[str, Any]) -> None:
    recipe = options["recipe"].model_copy(update={"task": "tumour-type"})
    with pytest.raises(InputError, match='task "tumour-type"'):
        tune(trials=1, **(options | {"recipe": recipe}))
    assert not options["output"].exists()


def test_other_weights_under_the_same_name_are_another_search(
    options: dict[str, Any], swift: Recipe
) -> None:
    file = options["output"].parent / "start.weights.h5"
    write_weights(swift, file, seed=1)
    with_file = options | {"weights": file}
    tune(trials=1, outer_folds=0, **with_file)
    write_weights(swift, file, seed=2)
    with pytest.raises(InputError, match="starting weights: start"):
        tune(trials=2, outer_folds=0, **with_file)


def test_what_was_tried_is_not_fitted_again(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options["space"].write_text('"optimisation.class_weights" = {choices = ["balanced", "none"]}')
    fits = []

    fit = Fitter.fit

    def count(self: Fitter, **how: Any) -> list[Record]:
        fits.append(how)
        return fit(self, **how)

    monkeypatch.setattr(Fitter, "fit", count)
    study = tune(trials=6, outer_folds=0, **options).studies["final"]
    assert len(fits) == 2 * options["inner_folds"]
    assert finished(study) == 6
    of_choice: dict[Any, set[float | None]] = {}
    for trial in study.trials:
        of_choice.setdefault(trial.params["optimisation.class_weights"], set()).add(trial.value)
    assert all(len(values) == 1 for values in of_choice.values())
    assert "as trial" in (options["output"] / "report.html").read_text("utf-8")


def test_a_killed_search_goes_on(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill leaves is what lay there in the midst of the third trial, copied."""
    left, fits = tmp_path / "left", 0
    fit = Fitter.fit

    def fit_until_killed(self: Fitter, **how: Any) -> list[Record]:
        nonlocal fits
        fits += 1
        if fits == 2 * options["inner_folds"] + 1:
            shutil.copytree(options["output"], left)
            raise KeyboardInterrupt
        return fit(self, **how)

    with monkeypatch.context() as patch:
        patch.setattr(Fitter, "fit", fit_until_killed)
        with pytest.raises(KeyboardInterrupt):
            tune(trials=60, outer_folds=0, **options)
    assert not (left / "best.toml").exists()
    study = tune(trials=3, outer_folds=0, **(options | {"output": left})).studies["final"]
    assert [trial.state.name for trial in study.trials].count("COMPLETE") == finished(study) == 3
    assert Recipe.load(left / "best.toml").frozen.learning_rate > 0


class Guesser:
    """Stands for a network where only what is drawn matters: building one takes longest."""

    def fit(self, known: NDArray[np.int64], **_: object) -> None:
        """Learn nothing."""

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.full(len(indices), 0.5)


def _guesser(*_: object) -> Guesser:
    return Guesser()


def test_hopeless_trials_are_pruned(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.1] * 10 + [9.0, 0.1] + [0.1] * 100)
    monkeypatch.setattr(SharedNetwork, "estimator", _guesser)
    monkeypatch.setattr("tumorscope.experiments.search.objective.loss_of", lambda *_: next(losses))
    result = tune(trials=6, outer_folds=0, **options)
    states = [trial.state.name for trial in result.studies["final"].trials]
    assert states == ["COMPLETE"] * 5 + ["PRUNED"]


@pytest.mark.parametrize(
    "wrong", [{"trials": 0}, {"inner_folds": 1}, {"outer_folds": 1}, {"outer_folds": -1}]
)
def test_impossible_numbers_are_refused(options: dict[str, Any], wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="Expected at least 1 trial"):
        tune(**({"trials": 1} | options | wrong))


def test_a_storage_that_is_not_there_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Cannot use the storage"):
        tune(trials=1, outer_folds=0, storage="sqlite:////nowhere/at/all.db", **options)


def test_the_command_prints_json(
    options: dict[str, Any], swift: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = options["output"].parent / "recipe.toml"
    recipe.write_text(swift.to_toml())
    words = ["tune", str(options["data"]), "--trials", "1", "--recipe", str(recipe), "--json"]
    words += ["--space", str(options["space"]), "--weights", "none", "--outer-folds", "0"]
    words += ["--inner-folds", "2", "-o", str(options["output"])]
    assert run(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["nested"] is None
    assert set(document["best"]) == {
        "frozen.learning_rate",
        "network.dropout",
        "optimisation.class_weights",
    }
