"""``tumorscope crossval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tumorscope.cli.app import Common, OptionalWhole, Whole, check_there, emit, left_out
from tumorscope.common.errors import UsageError
from tumorscope.common.limits import check_seed
from tumorscope.common.progress import say


def crossval(
    data: str,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    recipe: str = "paper",
    folds: Whole = 5,
    repeats: Whole = 3,
    weights: str = "imagenet",
    split: Literal["group", "random"] = "group",
    task: Literal["tumour", "tumour-type"] | None = None,
    seed: OptionalWhole = None,
    hold_out: list[str] | None = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    common: Common | None = None,
) -> int:
    """Cross-validate a recipe by group: models score images that they never saw.

    Example: `tumorscope crossval scans/ --recipe paper --folds 5 --repeats 3 -o cv/`

    Parameters
    ----------
    data
        Folder with class folders such as yes/ and no/, or a manifest.csv.
    output
        Folder for scores.csv, metrics.json and report.html; finished folds are kept there.
    recipe
        recommended, paper, reference, demo, or a TOML file.
    folds
        Parts; each is held out once per repeat.
    repeats
        Times the cohort is parted anew.
    weights
        imagenet (Keras' download and cache), mri (the packaged model's backbone, offline), none
        (random), or the path of an HDF5 file.
    split
        random ignores duplicates; its results are too good, and the report says so.
    task
        Instead of the recipe's: tumour, or tumour-type, which tells no tumour, glioma, meningioma
        and pituitary tumour apart.
    seed
        Instead of the recipe's.
    hold_out
        Sources to leave out, separated by commas; give it once per fold, instead of --folds and
        --repeats. "each" leaves out every source in turn. A name with a comma stands in double
        quotes: '"St. Mary, ward 3",north'.
    resume
        Keep the folds that are finished, if all that decides them is as it was.
    """
    check_there(data)
    from tumorscope.experiments.crossval import crossval as run_crossval
    from tumorscope.experiments.types import crossval_types
    from tumorscope.recipes.recipe import Recipe

    common = common or Common()
    chosen = Recipe.load(recipe)
    if seed is not None:
        chosen = chosen.changed({"seed": check_seed(seed)})
    if task is not None:
        chosen = chosen.for_task(task)
    if chosen.task == "tumour-type":
        if hold_out:
            raise UsageError(
                "Received --hold-out with tumour types; expected one of them. Sources are left out "
                "with --task tumour only."
            )
        types = crossval_types(
            data,
            recipe=chosen,
            folds=folds,
            repeats=repeats,
            weights=weights,
            output=output,
            split_by=split,
            resume=resume,
        )
        emit(
            common,
            {**types.metrics.to_json(), "passed_over": types.passed_over.to_json()},
            types.metrics.table(),
        )
        say(f"Report: {types.folder / 'report.html'}")
        return left_out(types.unreadable, types.passed_over)
    result = run_crossval(
        data,
        recipe=chosen,
        folds=folds,
        repeats=repeats,
        weights=weights,
        output=output,
        split_by=split,
        hold_out=hold_out or (),
        resume=resume,
    )
    emit(
        common,
        {**result.metrics.to_json(), "passed_over": result.passed_over.to_json()},
        result.metrics.table(),
    )
    say(f"Report: {result.folder / 'report.html'}")
    return left_out(result.unreadable, result.passed_over)
