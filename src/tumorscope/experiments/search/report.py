"""What a search found, and what of it may be believed: the nested result first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tumorscope.common.files import write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.experiments.search.space import current
from tumorscope.experiments.search.storage import SAME_AS, finished
from tumorscope.recipes.recipe import Recipe
from tumorscope.reports.displays.search import SearchDisplay
from tumorscope.reports.drawing import draw
from tumorscope.reports.page import write_html
from tumorscope.reports.picture import Picture
from tumorscope.statistics.metrics import NAMES

if TYPE_CHECKING:
    import optuna

    from tumorscope.experiments.search.result import Search

FEWEST_TRIALS = 4
"""Finished trials from which importances mean anything."""

MOST_TRIALS = 50
"""Rows of the table of trials; all are in the database."""


def write_search_report(
    search: Search, *, objective: str, best: Mapping[str, Recipe], facts: Mapping[str, str]
) -> dict[str, object]:
    """Write tuning.json, figures/ and report.html into the folder of a search.

    Parameters
    ----------
    search : Search
        What was found.
    objective : str
        Which loss was minimised.
    best : mapping of str to Recipe
        Study → its best recipe.
    facts : mapping of str to str
        For the end of the report.

    Returns
    -------
    dict
        What tuning.json holds.
    """
    final = search.studies["final"]
    keys = list(final.best_params)
    importances = importances_of(final)
    inner = {name: float(study.best_value) for name, study in search.studies.items()}
    document: dict[str, object] = {
        "notice": RESEARCH_USE_ONLY,
        "objective": objective,
        "nested": None if search.metrics is None else search.metrics.to_json(),
        "inner_optimistic": inner,
        "best": final.best_params,
        "importances": importances,
        "trials": {name: finished(study) for name, study in search.studies.items()},
        "testing_left_out": search.testing,
        **facts,
    }
    write_json(search.folder / "tuning.json", document)
    write_html(
        search.folder / "report.html",
        "experiments/search.html",
        title="Search over the recipe",
        footer="Made by tumorscope tune.",
        nested=search.metrics,
        names=NAMES,
        testing=search.testing,
        objective=objective,
        inner=[(name, f"{value:.4f}") for name, value in inner.items()],
        found_header=("key", *best),
        found=[(key, *(_short(current(recipe, key)) for recipe in best.values())) for key in keys],
        course=_course(search, importances),
        trials_header=("trial", f"inner {objective}", "state", *keys),
        trials=_trials(final, keys),
        details=facts,
    )
    return document


def importances_of(study: optuna.Study) -> dict[str, float]:
    """Return the share of each parameter in how trials differ (fANOVA), summing to 1.

    Empty where there are too few finished trials, or they do not differ.
    """
    import optuna

    losses = {trial.value for trial in study.trials if trial.state.name == "COMPLETE"}
    if finished(study, complete=True) < FEWEST_TRIALS or len(losses) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total > 0 else {}


def _course(search: Search, importances: Mapping[str, float]) -> Picture:
    final = search.studies["final"]
    done = [trial for trial in final.trials if trial.value is not None]
    display = SearchDisplay(
        losses=[float(trial.value) for trial in done if trial.value is not None],
        pruned=[trial.state.name == "PRUNED" for trial in done],
        parameters={key: [trial.params.get(key) for trial in done] for key in final.best_params},
        importances=dict(importances),
    )
    folder = search.folder / "figures"
    folder.mkdir(exist_ok=True)
    caption = (
        "The search “final”: loss by trial, importance of each parameter (fANOVA), and loss by "
        "the value of each. Hollow marks are trials that were pruned."
    )
    return draw(display, caption, stem=folder / "search")


def _trials(study: optuna.Study, keys: Sequence[str]) -> list[tuple[str, ...]]:
    done = sorted(
        (trial for trial in study.trials if trial.value is not None),
        key=lambda trial: float(trial.value or 0.0),
    )
    return [
        (
            str(trial.number),
            f"{trial.value:.4f}",
            _state(trial),
            *(_short(trial.params.get(key)) for key in keys),
        )
        for trial in done[:MOST_TRIALS]
    ]


def _state(trial: optuna.trial.FrozenTrial) -> str:
    same = trial.user_attrs.get(SAME_AS)
    return trial.state.name.lower() + ("" if same is None else f", as trial {same}")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
