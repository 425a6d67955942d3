"""``tumorscope crossval``."""

from __future__ import annotations

from tumorscope.cli.app import check_there, emit_metrics
from tumorscope.cli.options import (
    Common,
    Data,
    Flag,
    Folds,
    Output,
    RecipeName,
    Repeats,
    Seed,
    SplitBy,
    Task,
    Weights,
    Words,
    chosen_recipe,
)


def crossval(
    data: Data,
    /,
    *,
    output: Output,
    recipe: RecipeName = "paper",
    folds: Folds = 5,
    repeats: Repeats = 3,
    weights: Weights = "imagenet",
    split: SplitBy = "group",
    task: Task = None,
    seed: Seed = None,
    hold_out: Words = (),
    resume: Flag = False,
    ray: str | None = None,
    common: Common | None = None,
) -> int:
    """Cross-validate a recipe by group: models score images that they never saw.

    Example: `tumorscope crossval scans/ --recipe paper --folds 5 --repeats 3 -o cv/`

    Parameters
    ----------
    output
        Folder for scores.csv, metrics.json and report.html; finished folds are kept there.
    split
        random ignores duplicates; its results are too good, and the report says so.
    hold_out
        Sources to leave out, separated by commas; give it once per fold, instead of --folds and
        --repeats. "each" leaves out every source in turn. A name with a comma stands in double
        quotes: '"St. Mary, ward 3",north'.
    resume
        Keep the folds that are finished, if all that decides them is as it was.
    ray
        Address of a Ray cluster, or local: folds at the same time, one per core; extra “ray”.
    """
    check_there(data)
    from tumorscope.experiments.crossval import crossval as run_crossval

    result = run_crossval(
        data,
        recipe=chosen_recipe(recipe, seed=seed, task=task),
        folds=folds,
        repeats=repeats,
        weights=weights,
        output=output,
        split_by=split,
        hold_out=hold_out,
        resume=resume,
        ray=ray,
    )
    return emit_metrics(common or Common(), result, report=result.folder / "report.html")
