"""What a search found, and what it may be believed: the nested figure first."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.files import write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.experiments.search.space import current
from tumorscope.experiments.search.storage import SAME_AS, finished
from tumorscope.recipes.recipe import Recipe
from tumorscope.reports import Section, figure_html, table_html, write_page
from tumorscope.reports.displays.search import SearchDisplay
from tumorscope.reports.drawing import draw
from tumorscope.statistics.estimate import Undefined
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
) -> None:
    """Write tuning.json, figures/ and report.html into the folder of a search.

    Parameters
    ----------
    search : Search
        What was found.
    objective : str
        Which loss was made small.
    best : mapping of str to Recipe
        Study → its best recipe.
    facts : mapping of str to str
        For the end of the report.
    """
    final = search.studies["final"]
    importances = importances_of(final)
    inner = {name: float(study.best_value) for name, study in search.studies.items()}
    write_json(
        search.folder / "tuning.json",
        {
            "notice": RESEARCH_USE_ONLY,
            "objective": objective,
            "nested": None if search.metrics is None else search.metrics.to_json(),
            "inner_optimistic": inner,
            "best": final.best_params,
            "importances": importances,
            "trials": {name: finished(study) for name, study in search.studies.items()},
            "testing_left_out": search.testing,
            **facts,
        },
    )
    sections = [
        _result(search, objective, inner),
        _found(search, best),
        _course(search, importances),
        _trials(final, objective),
        Section("Facts", table_html(("", ""), [[name, text] for name, text in facts.items()])),
    ]
    metrics = search.metrics
    if metrics is None:
        lead = (
            "<p>This search reports <strong>no figure</strong>: it was run without outer folds, "
            "and the figure that it made small is too good. Measure <code>best.toml</code> on "
            "images that the search did not see.</p>"
        )
    else:
        auc = metrics.metrics["auc"]
        words = "" if isinstance(auc, Undefined) else f" ({auc.low:.3f} to {auc.high:.3f})"
        value = "–" if auc.value is None else f"{auc.value:.3f}"
        lead = (
            f"<p>Searching reaches an AUC of <strong>{value}</strong>{words} on images that no "
            "part of the search has seen. That is the figure of the <em>procedure</em>, search "
            "included, from raw scores called at 0.5; a detector has a calibration and a point "
            "of its own.</p>"
        )
    if search.testing:
        lead += (
            f"<p>The {search.testing} images of the testing part were left out of the search, so "
            "that what it found can be tested on them.</p>"
        )
    write_page(
        search.folder / "report.html",
        title="Search over the recipe",
        lead=lead,
        sections=sections,
        footer="Made by tumorscope tune.",
    )


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


def _result(search: Search, objective: str, inner: Mapping[str, float]) -> Section:
    rows = [[name, f"{value:.4f}"] for name, value in inner.items()]
    optimistic = (
        f"<p><strong>Too good:</strong> the best {escape(objective)} of each search on its own "
        "inner folds. It was chosen for being small, so it says less than the figures above.</p>"
        + table_html(("search", f"best inner {objective}"), rows, numeric=(1,))
    )
    if search.metrics is None:
        return Section("Result", "<p>None was measured.</p>" + optimistic)
    table = []
    for name, found in search.metrics.metrics.items():
        value = "–" if found.value is None else f"{found.value:.3f}"
        reach = (
            found.reason if isinstance(found, Undefined) else f"{found.low:.3f}–{found.high:.3f}"
        )
        table.append([NAMES[name], value, reach])
    text = (
        f"<p>Nested: every image was scored once, by a recipe that was searched for without it "
        f"and without its group ({search.metrics.n} images in {search.metrics.n_groups} "
        "groups).</p>"
    )
    head = ("", "value", "95 % interval")
    return Section("Result", text + table_html(head, table, numeric=(1, 2)) + optimistic)


def _found(search: Search, best: Mapping[str, Recipe]) -> Section:
    keys = list(search.studies["final"].best_params)
    rows = [[key, *(_short(current(recipe, key)) for recipe in best.values())] for key in keys]
    text = (
        "<p><code>best.toml</code> is the recipe of the search “final”, on all images. Where the "
        "others, each without a fifth or so of the images, chose otherwise, the choice hangs on "
        "few images.</p>"
    )
    return Section("What was found", text + table_html(("key", *best), rows))


def _course(search: Search, importances: Mapping[str, float]) -> Section:
    final = search.studies["final"]
    done = [trial for trial in final.trials if trial.value is not None]
    display = SearchDisplay(
        losses=[float(trial.value) for trial in done if trial.value is not None],
        pruned=[trial.state.name == "PRUNED" for trial in done],
        parameters={key: [trial.params.get(key) for trial in done] for key in final.best_params},
        importances=dict(importances),
    )
    folder = Path(search.folder) / "figures"
    caption = (
        "The search “final”: loss by trial, importance of each parameter (fANOVA), and loss by "
        "the value of each. Hollow marks are trials that were pruned."
    )
    return Section(
        "Course of the search", figure_html(draw(display, caption, stem=folder / "search"))
    )


def _trials(study: optuna.Study, objective: str) -> Section:
    done = sorted(
        (trial for trial in study.trials if trial.value is not None),
        key=lambda trial: float(trial.value or 0.0),
    )
    keys = list(study.best_params)
    rows = [
        [
            str(trial.number),
            f"{trial.value:.4f}",
            _state(trial),
            *(_short(trial.params.get(key)) for key in keys),
        ]
        for trial in done[:MOST_TRIALS]
    ]
    head = ("trial", f"inner {objective}", "state", *keys)
    return Section("Trials of the search “final”, best first", table_html(head, rows, numeric=(1,)))


def _state(trial: optuna.trial.FrozenTrial) -> str:
    same = trial.user_attrs.get(SAME_AS)
    return trial.state.name.lower() + ("" if same is None else f", as trial {same}")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
