"""Cross-validation: groups stay whole, every image is held out, finished folds are kept."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.audits import audit

from tumorscope.cli.app import run
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import InputError, UsageError
from tumorscope.experiments.crossval import crossval
from tumorscope.networks.backbones import build_backbone
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Record
from tumorscope.training.fit import Fitter

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def cohort(tiny_cohort: Path) -> Path:
    """The tiny cohort with two byte-identical copies."""
    shutil.copy(tiny_cohort / "yes" / "yes0.png", tiny_cohort / "yes" / "copy.png")
    shutil.copy(tiny_cohort / "no" / "no0.png", tiny_cohort / "no" / "copy.png")
    return tiny_cohort


def test_every_image_is_scored_once_per_repeat_with_its_copies(
    cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    result = crossval(
        cohort, recipe=quick, folds=3, repeats=2, weights="none", output=tmp_path / "cv"
    )
    records = read_csv(tmp_path / "cv" / "scores.csv")
    assert list(records[0]) == ["path", "label", "repeat", "fold", "score"]
    assert len(records) == len(result.manifest) * 2
    assert len({(row["path"], row["repeat"]) for row in records}) == len(records)
    assert np.isfinite(result.scores).all()
    for group in set(result.manifest.groups.tolist()):
        members = result.manifest.groups == group
        assert all(len(set(column)) == 1 for column in result.folds[members].T)
    assert (tmp_path / "cv" / "report.html").exists()
    assert result.metrics.to_json()["split"] == "grouped"


def test_finished_folds_are_kept_and_the_result_is_the_same(
    cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    options = {"recipe": quick, "folds": 2, "repeats": 1, "weights": "none"}
    whole = crossval(cohort, output=tmp_path / "whole", **options)
    shutil.copytree(tmp_path / "whole" / "folds", tmp_path / "half" / "folds")
    (tmp_path / "half" / "folds" / "repeat-0-fold-1.csv").unlink()
    kept = tmp_path / "half" / "folds" / "repeat-0-fold-0.csv"
    before = kept.stat().st_mtime_ns
    with pytest.raises(UsageError, match="--resume"):
        crossval(cohort, output=tmp_path / "half", **options)
    half = crossval(cohort, output=tmp_path / "half", resume=True, **options)
    assert kept.stat().st_mtime_ns == before
    np.testing.assert_allclose(half.scores, whole.scores, atol=1e-8)
    with pytest.raises(InputError, match="another recipe"):
        crossval(cohort, output=tmp_path / "half", resume=True, **(options | {"folds": 3}))
    # Rows in another order, the same in number: their scores must not go to other images.
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    with pytest.raises(InputError, match="in another order"):
        crossval(cohort, output=tmp_path / "half", resume=True, **options)


def test_the_command_in_the_report_can_be_run_as_it_stands(
    cohort: Path, quick: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = crossval(
        cohort, recipe=quick, folds=2, repeats=1, weights="none", output="my folder/of folds"
    )
    command = json.loads((whole.folder / "metrics.json").read_text())["command"]
    words = shlex.split(command)
    assert words[0] == "tumorscope"
    assert run(words[1:]) == 0
    np.testing.assert_allclose(
        [float(row["score"]) for row in read_csv(Path("CV", "scores.csv"))],
        [float(row["score"]) for row in read_csv(whole.folder / "scores.csv")],
        atol=1e-6,
    )


def test_the_random_split_says_that_it_leaks(cohort: Path, quick: Recipe, tmp_path: Path) -> None:
    result = crossval(
        cohort,
        recipe=quick,
        folds=2,
        repeats=1,
        weights="none",
        output=tmp_path / "cv",
        split_by="random",
    )
    assert result.metrics.to_json()["split"] == "random"
    page = (tmp_path / "cv" / "report.html").read_text()
    title = page[page.index("<h1>") : page.index("</h1>")]
    assert "leak" in title.lower()


@pytest.mark.parametrize(("folds", "repeats"), [(1, 1), (3, 0)])
def test_impossible_numbers_are_refused(
    cohort: Path, quick: Recipe, tmp_path: Path, folds: int, repeats: int
) -> None:
    with pytest.raises(UsageError, match="at least 2 folds"):
        crossval(cohort, recipe=quick, folds=folds, repeats=repeats, output=tmp_path / "cv")


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
    result = crossval(
        places, recipe=quick, weights="none", output=tmp_path / "cv", hold_out=[["a"], ["b"]]
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
    places: Manifest, quick: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        marked, recipe=quick, weights="none", output=tmp_path / "cv", hold_out=[["each"]]
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


def test_folds_of_a_file_that_was_replaced_are_refused(
    cohort: Path, quick: Recipe, tmp_path: Path
) -> None:
    backbone = build_backbone("small_cnn", 32)
    backbone.save_weights(tmp_path / "w.weights.h5")
    options = {"recipe": quick, "weights": tmp_path / "w.weights.h5", "folds": 2, "repeats": 1}
    crossval(cohort, output=tmp_path / "cv", **options)  # type: ignore[arg-type]
    backbone.set_weights([0.5 * each for each in backbone.get_weights()])
    backbone.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(InputError, match="another recipe, cohort, protocol"):
        crossval(cohort, output=tmp_path / "cv", resume=True, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["path,label\n", "", "score", "2.5"])
def test_a_damaged_fold_is_named(cohort: Path, quick: Recipe, tmp_path: Path, damage: str) -> None:
    options = {"recipe": quick, "weights": "none", "folds": 2, "repeats": 1}
    crossval(cohort, output=tmp_path / "cv", **options)  # type: ignore[arg-type]
    fold = tmp_path / "cv" / "folds" / "repeat-0-fold-1.csv"
    if damage in ("score", "2.5"):
        lines = fold.read_text().splitlines()
        lines[1] = lines[1].rpartition(",")[0] + f",{damage}"
        fold.write_text("\n".join(lines) + "\n")
    else:
        fold.write_text(damage)
    with pytest.raises(InputError, match=r"repeat-0-fold-1\.csv"):
        crossval(cohort, output=tmp_path / "cv", resume=True, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [[["a"], ["nowhere"]], [["a", "b"], ["a"]]])
def test_unknown_and_repeated_sources_are_refused(
    places: Manifest, quick: Recipe, tmp_path: Path, wrong: list[list[str]]
) -> None:
    with pytest.raises(UsageError, match="of a,b,c"):
        crossval(places, recipe=quick, weights="none", output=tmp_path / "cv", hold_out=wrong)
