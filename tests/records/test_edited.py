"""What was edited in a run's manifest since: labels, types, and who is in which part."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.csv_files import write_csv
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.edited import edited_since
from tumorscope.records.run_folder import Run, RunContents
from tumorscope.records.run_record import RunRecord

THEN = (("a", "0", "testing"), ("b", "1", "testing"), ("c", "1", "tuning"), ("d", "0", "training"))


def contents(folder: Path, *rows: tuple[str, int, str, str], task: str = "tumour") -> RunContents:
    records = [dict(zip(("path", "label", "split"), each, strict=True)) for each in THEN]
    write_csv(folder / "scores.csv", ("path", "label", "split"), records)
    manifest = Manifest(
        tuple(
            Row(path, path * 64, label, path, split=split, tumour_type=kind)
            for path, label, split, kind in rows
        ),
        folder,
    )
    recipe = Recipe.load("paper") if task == "tumour" else Recipe.load("paper").for_task(task)
    return RunContents(Run(folder), recipe, cast(RunRecord, None), manifest)


def test_nothing_is_said_of_what_is_as_it_was(tmp_path: Path) -> None:
    run = contents(tmp_path, ("a", 0, "testing", ""), ("b", 1, "testing", ""))
    found = edited_since(run)
    assert (found.images, found.notes(), found.trained) == (2, [], ())


@pytest.mark.parametrize(("part", "trained"), [("testing", ("c", "d")), ("tuning", ("d",))])
def test_images_that_the_network_was_fitted_to(
    tmp_path: Path, part: Any, trained: tuple[str, ...]
) -> None:
    run = contents(tmp_path, *(("abcd"[place], place % 2, part, "") for place in range(4)))
    assert edited_since(run, part=part).trained == trained


def test_types_are_compared_by_name(tmp_path: Path) -> None:
    rows = (("a", 0, "testing", ""), ("b", 1, "testing", "pituitary"))
    found = edited_since(contents(tmp_path, *rows, task="tumour-type"))
    assert found.relabelled == (("b", "glioma", "pituitary"),)
    [note] = found.notes()
    assert "1 of 2 testing images has another label" in note
    assert "b: glioma, now pituitary" in note


def test_runs_that_recorded_neither_say_nothing(tmp_path: Path) -> None:
    run = contents(tmp_path, ("a", 1, "testing", ""), ("c", 0, "testing", ""))
    write_csv(tmp_path / "scores.csv", ("path", "score"), [{"path": "a", "score": "0.5"}])
    found = edited_since(run)
    assert (found.relabelled, found.trained, found.left_out) == ((), (), ())
