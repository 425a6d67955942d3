"""``tumorscope tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tumorscope.cli.app import check_there, emit, left_out
from tumorscope.cli.options import Common, Data, Output, Whole
from tumorscope.common.progress import say


def tune(
    data: Data,
    /,
    *,
    trials: Whole,
    output: Output,
    recipe: str = "recommended",
    space: Path | None = None,
    storage: str | None = None,
    weights: str = "imagenet",
    outer_folds: Whole = 5,
    inner_folds: Whole = 3,
    objective: Literal["log-loss", "auc"] = "log-loss",
    timeout: float | None = None,
    seed: Whole = 0,
    common: Common | None = None,
) -> int:
    """Search for a better recipe, nested in grouped folds: what is reported was not tuned.

    Example: `tumorscope tune scans/ --trials 20 --recipe recommended -o tuning/`

    Parameters
    ----------
    trials
        Of each search: one for each outer fold, and one on everything.
    output
        Folder for best.toml, tuning.json, report.html, scores.csv and the study database.
    recipe
        Where the search starts, and what it leaves alone.
    space
        TOML file of ranges; by default learning rate, epochs, dropout, smoothing, rotation, zoom.
    storage
        URL of a database, such as sqlite:///study.db; by default OUTPUT/study.db.
    weights
        imagenet, mri, none, or the path of an HDF5 file.
    outer_folds
        0 searches once and measures nothing.
    inner_folds
        By which a trial is judged.
    objective
        log-loss also rewards probabilities that mean what they say; auc only their order.
    timeout
        Seconds after which each search stops.
    seed
        Of folds and sampler.
    """
    check_there(data)
    from tumorscope.experiments.search.tune import tune as run_search

    common = common or Common()
    result = run_search(
        data,
        trials=trials,
        output=output,
        recipe=recipe,
        space=space,
        storage=storage,
        weights=weights,
        outer_folds=outer_folds,
        inner_folds=inner_folds,
        objective=objective,
        timeout=timeout,
        seed=seed,
    )
    best = result.document["best"]
    assert isinstance(best, dict)
    lines = [
        f"{key}  {value:.4g}" if isinstance(value, float) else f"{key}  {value}"
        for key, value in best.items()
    ]
    if result.metrics is None:
        lines.append("Nothing was measured: --outer-folds 0.")
    else:
        lines += ["", "Nested results (search included):", result.metrics.table()]
    document = {**result.document, "passed_over": result.passed_over.to_json()}
    emit(common, document, "\n".join(lines))
    say(f"Recipe: {result.folder / 'best.toml'}\nReport: {result.folder / 'report.html'}")
    return left_out(result.unreadable, result.passed_over)
