"""Search over a recipe, nested in grouped folds so that nothing reported was tuned on.

For each outer fold a study of its own searches on inner folds of the other groups; the best recipe
is fitted on them and scores the outer fold, once. A last study on everything gives the recipe to
use, and no result.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from tumorscope.assessment.seen import refuse_seen
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.csv_files import write_csv
from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.files import output_folder, write_text
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say
from tumorscope.common.versions import versions
from tumorscope.experiments.fold_plan import FoldPlan
from tumorscope.experiments.search.asked import Loss, SearchAsked
from tumorscope.experiments.search.cohort import SearchedCohort
from tumorscope.experiments.search.objective import SharedNetwork
from tumorscope.experiments.search.report import write_search_report
from tumorscope.experiments.search.result import Search
from tumorscope.experiments.search.searcher import Searcher, nested_scores
from tumorscope.experiments.search.space import Range, load_space
from tumorscope.experiments.search.storage import database, open_studies
from tumorscope.networks.weights import record_of, weights_identity
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import Cohort, Protocol, data_hash
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.two_classes import evaluate_scores

PLACES = "optimisation.places"
"""Where it is searched, some networks learn from masks."""

COLUMNS = ("path", "label", "fold", "score")


@one_writer
def tune(
    data: Data,
    *,
    trials: int,
    output: str | Path,
    recipe: str | Path | Recipe = "recommended",
    space: str | Path | None = None,
    storage: str | None = None,
    weights: str | Path = "imagenet",
    outer_folds: int = 5,
    inner_folds: int = 3,
    objective: Loss = "log-loss",
    timeout: float | None = None,
    seed: int = 0,
) -> Search:
    """Search for a better recipe.

    Running it again with the same output or storage goes on until every study has its trials.
    Parameters that a trial of the same study has had before are not fitted again.

    Parameters
    ----------
    data : path or Manifest
        A folder of class folders, or a manifest. Images whose split is "testing" are left out:
        a recipe that was chosen by them could not be tested on them. Other splits are not used.
    trials : int
        Of each study.
    output : path
        Folder for the results.
    recipe : str, Path or Recipe
        Where the search starts, and what it leaves alone; of the task "tumour".
    space : path, optional
        A TOML file of ranges; see `tumorscope.experiments.search.space.load_space`.
    storage : str, optional
        URL of a database that Optuna knows; by default an SQLite file in `output`. Several
        workers that give the same URL share the trials.
    weights : str or path
        As for `tumorscope.training.train.train`.
    outer_folds, inner_folds : int
        By which the search is measured, and a trial judged; with 0 outer folds it searches once,
        on everything, and measures nothing.
    objective : {"log-loss", "auc"}
        The log loss by default: it is a proper score, so that it also rewards probabilities that
        mean what they say, and it is less coarse than an AUC of a few dozen images.
    timeout, seed : float, int
        Seconds after which each study stops, if any; seed of the folds and the sampler.

    Raises
    ------
    InputError
        If the cohort, recipe or space cannot be used, the output or the storage holds another
        search, or the storage cannot be used.
    UsageError
        If a number is out of range, or Optuna is not installed.
    """
    asked = SearchAsked(trials, outer_folds, inner_folds, objective, timeout, seed)
    require("train", "tune", to="search for a recipe")
    base = Recipe.of(recipe)
    _check_task(base)
    return _searched(data, asked, base, load_space(space, base), weights, Path(output), storage)


def _searched(
    data: Data,
    asked: SearchAsked,
    base: Recipe,
    ranges: dict[str, Range],
    weights: str | Path,
    output: Path,
    storage: str | None,
) -> Search:
    folder = output_folder(output)
    cohort = SearchedCohort.of(data)
    started_from = record_of(base.network.backbone, weights)
    refuse_seen(started_from, cohort.manifest, "the search")
    url = storage or f"sqlite:///{(folder / 'study.db').resolve()}"
    say(asked.in_words())
    protocol = Protocol(
        recipe=base,
        weights=(started_from,),
        data=Cohort.of(cohort.manifest, masks=base.trains_on_places or PLACES in ranges),
        search=asked.recorded(ranges),
        versions=versions(),
    )
    origin = weights_identity(weights)
    older = asked.older_key(base, ranges, cohort.manifest, origin)
    # Nothing is written before it is clear that folder and database belong to this search.
    cohort.check(folder)
    studies = open_studies(
        url, asked.studies, protocol=protocol, older=older, objective=asked.loss, seed=asked.seed
    )
    manifest = cohort.keep(folder, data)
    shared = SharedNetwork(manifest, base, weights, origin=origin)
    searcher = Searcher(asked, ranges, shared, studies, url)
    metrics = _nested(searcher, folder, protocol, older) if asked.outer_folds else None
    best = searcher.search("final", np.arange(len(manifest)))
    write_text(folder / "best.toml", best.to_toml())
    whole = cohort.whole
    result = Search(
        best,
        metrics,
        studies,
        folder,
        whole.unreadable,
        cohort.testing,
        whole.notes.passed_over,
    )
    facts = _facts(base, asked.fits, manifest)
    with database(url):
        document = write_search_report(
            result, objective=asked.loss, best=searcher.best, facts=facts
        )
    return replace(result, document=document)


def _nested(searcher: Searcher, folder: Path, protocol: Protocol, older: str) -> Metrics:
    """Score every image by a search that has not seen it, write scores.csv, and measure."""
    manifest, asked = searcher.shared.manifest, searcher.asked
    labels, groups = manifest.labels, manifest.groups
    held_out = grouped_folds(labels, groups, folds=asked.outer_folds, seed=asked.seed)
    nothing = np.zeros(len(labels), dtype=bool)
    plan = FoldPlan(manifest, labels, held_out[:, None], seed=asked.seed, barred=nothing)
    scores = nested_scores(plan, searcher, folder=folder, protocol=protocol, older=older)
    records = [
        {"path": row.path, "label": row.label, "fold": int(fold), "score": f"{score:.8f}"}
        for row, fold, score in zip(manifest.rows, held_out, scores, strict=True)
    ]
    write_csv(folder / "scores.csv", COLUMNS, records)
    return evaluate_scores(labels, scores, groups=groups)


def _check_task(base: Recipe) -> None:
    if base.task != "tumour":
        raise InputError(
            f'Received the recipe {base.name} of the task "{base.task}". Expected one of the task '
            '"tumour", which is what trials are judged by. Search with task = "tumour", then train '
            f"what was found with --task {base.task}; or compare recipes of that task with "
            "tumorscope crossval."
        )


def _facts(base: Recipe, fits: int, manifest: Manifest) -> dict[str, str]:
    return {
        "recipe": base.name,
        "images": str(len(manifest)),
        "groups": str(len(set(manifest.groups.tolist()))),
        "fits at most": str(fits),
        "data SHA-256": data_hash(manifest),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
