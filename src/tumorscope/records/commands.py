"""The command that reproduces a result, whole, as one would type it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from tumorscope.detection.detector import PACKAGED, PACKAGED_NAME
from tumorscope.networks.imagenet import IMAGENET
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import SHIPPED, Recipe
from tumorscope.records.run_record import RunRecord

FOLDS_RECIPE = Path("folds", "recipe.toml")
"""Where a cross-validation keeps the recipe that its folds followed."""

NEW_RUN = Path("RUN")
"""Stands for the folder of the run that the first of several commands makes anew."""


def command_line(*words: object) -> str:
    """Return words as a line for a shell."""
    return shlex.join(str(word) for word in words)


def recipe_options(recipe: Recipe, *, file: str | Path) -> list[str]:
    """Return the options that name a recipe: its own name where one like it ships, and the seed.

    Parameters
    ----------
    recipe : Recipe
        As it was followed.
    file : str or Path
        Where the recipe is written, if none that ships is like it.
    """
    task = [] if recipe.task == "tumour" else ["--task", recipe.task]
    seed = ["--seed", str(recipe.seed)]
    if recipe == _shipped(recipe):
        return ["--recipe", recipe.name, *seed, *task]
    return ["--recipe", str(file), *seed]


def protocol_options(weights: str | Path, split: str) -> list[str]:
    """Return starting weights and kind of split as options."""
    return ["--weights", str(weights), "--split", "random" if split == "random" else "group"]


def training_command(folder: Path, recipe: Recipe, record: RunRecord) -> str:
    """Return what trained the run in `folder`.

    Its manifest, whose splits are filled in, stands for the data.
    """
    weights = record.weights_given or _option_of(record.origin)
    return command_line(
        *("tumorscope", "train", folder / "manifest.csv"),
        *recipe_options(recipe, file=folder / "recipe.toml"),
        *protocol_options(weights, record.split),
        *("-o", NEW_RUN),
    )


def run_commands(
    folder: Path,
    recipe: Recipe,
    record: RunRecord,
    *,
    data: str | None,
    output: Path,
    allow_seen: bool,
) -> str:
    """Return what trains the run in `folder` again, and what then measures that new run.

    Parameters
    ----------
    folder : Path
        Of the run.
    recipe, record
        As the run has them.
    data : str or None
        The external cohort, where one was measured on.
    output : Path
        Folder of the report.
    allow_seen : bool
        Whether images of the training were scored all the same.
    """
    again = NEW_RUN / output.resolve().name
    return "\n".join(
        [
            training_command(folder, recipe, record),
            evaluation_command(NEW_RUN, data, output=again, allow_seen=allow_seen),
        ]
    )


def evaluation_command(
    subject: str | Path, data: str | None, *, output: Path, allow_seen: bool
) -> str:
    """Return what measures a run or a model file, on data other than its own where some are."""
    return command_line(
        *("tumorscope", "evaluate", PACKAGED_NAME if subject == PACKAGED else subject),
        *([] if data is None else [data]),
        *(["--allow-seen"] if allow_seen else []),
        *("-o", output),
    )


def crossval_command(
    data: str,
    recipe: Recipe,
    *,
    protocol: Sequence[object],
    weights: str | Path,
    split: str,
    folder: Path,
) -> str:
    """Return what cross-validated a recipe in `folder`; `protocol` are the options on folds."""
    return command_line(
        *("tumorscope", "crossval", data),
        *recipe_options(recipe, file=folder / FOLDS_RECIPE),
        *protocol,
        *protocol_options(weights, split),
        *("-o", "CV"),  # a folder that holds folds is not cross-validated into again
    )


def _shipped(recipe: Recipe) -> Recipe | None:
    """Return the recipe that ships under this name, with the same seed and task."""
    if recipe.name not in SHIPPED:
        return None
    known = Recipe.load(recipe.name)
    known = known.changed({"seed": recipe.seed})
    return known if recipe.task == known.task else known.for_task(recipe.task)


def _option_of(origin: Weights) -> str:
    """Return the option that gives these weights, where a run does not say how they were given."""
    if origin.kind != "file":
        return origin.kind
    return "imagenet" if origin.name in {file for file, _ in IMAGENET.values()} else origin.name
