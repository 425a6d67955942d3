"""Commands that make a result again: whole, quoted, and parsed as they stand."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tumorscope.cli.app import app
from tumorscope.detection.detector import PACKAGED
from tumorscope.networks.imagenet import IMAGENET
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.commands import (
    crossval_command,
    evaluation_command,
    recipe_options,
    run_commands,
    training_command,
)
from tumorscope.records.run_record import RunRecord

SHA = "ab" * 32


def recorded(**facts: str) -> RunRecord:
    """What an older version wrote of a run."""
    always = {"seed": 0, "split": "grouped", "data_sha256": SHA, "images": {}, "versions": {}}
    return RunRecord.parse(json.dumps({**always, "layers": [], **facts}), origin="run.json")


def parsed(line: str) -> list[str]:
    words = shlex.split(line)
    assert words[0] == "tumorscope"
    app.parse_args(words[1:], exit_on_error=False, print_error=False)
    return words


def test_a_recipe_that_ships_is_named_and_any_other_is_a_file() -> None:
    paper = Recipe.load("paper").model_copy(update={"seed": 7})
    assert recipe_options(paper, file="x.toml") == ["--recipe", "paper", "--seed", "7"]
    types = recipe_options(paper.for_task("tumour-type"), file="x.toml")
    assert types == ["--recipe", "paper", "--seed", "7", "--task", "tumour-type"]
    mine = paper.model_copy(update={"input": paper.input.model_copy(update={"size": 96})})
    assert recipe_options(mine, file="x.toml") == ["--recipe", "x.toml", "--seed", "7"]


def test_odd_names_are_quoted() -> None:
    line = crossval_command(
        "my scans/a; b",
        Recipe.load("paper"),
        protocol=["--hold-out", "site A,site B"],
        weights="none",
        split="random",
        folder=Path("cv $HOME"),
    )
    words = parsed(line)
    assert words[2] == "my scans/a; b"
    assert {"site A,site B", "--weights", "--split", "random"} <= set(words)


@pytest.mark.parametrize(
    ("facts", "given"),
    [
        ({"weights": "none (random)"}, "none"),
        ({"weights": f"mri (reference@0, sha256 {SHA})"}, "mri"),
        ({"weights": f"{IMAGENET['mobilenet_v2'][0]} (sha256 {SHA})"}, "imagenet"),
        ({"weights": f"mine.h5 (sha256 {SHA})"}, "mine.h5"),
        ({"weights": f"mine.h5 (sha256 {SHA})", "weights_given": "/w/mine.h5"}, "/w/mine.h5"),
    ],
)
def test_starting_weights_are_named_also_for_runs_of_older_versions(
    facts: dict[str, str], given: str
) -> None:
    line = training_command(Path("runs/a"), Recipe.load("paper"), recorded(**facts))
    words = parsed(line)
    assert words[words.index("--weights") + 1] == given
    assert words[words.index("--split") + 1] == "group"


@pytest.mark.parametrize("data", [None, "other/"])
def test_the_run_that_is_trained_anew_is_the_one_that_is_measured(data: str | None) -> None:
    first, second = run_commands(
        Path("runs/a"),
        Recipe.load("paper"),
        recorded(weights="none"),
        data=data,
        output=Path("runs/a/evaluation"),
        allow_seen=False,
    ).splitlines()
    made = parsed(first)[-1]
    words = parsed(second)
    assert words[2] == made
    assert words[-1] == f"{made}/evaluation"
    assert "runs/a" not in second
    assert (data in words) == (data is not None)


def test_the_packaged_model_is_called_so() -> None:
    words = parsed(evaluation_command(PACKAGED, "x", output=Path("out"), allow_seen=False))
    assert words[2] == "packaged"
