"""Cross-validation: groups stay whole, every image is held out, finished folds are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tumorscope.common.errors import InputError, UsageError
from tumorscope.training.crossval import crossval
from tumorscope.training.recipe import Recipe
from tumorscope.training.run import read_csv


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
