"""Search over a recipe, nested in grouped folds so that no reported figure was tuned on.

For each outer fold a study of its own searches on inner folds of the other groups; the best recipe
is fitted on them and scores the outer fold, once. A last study on everything gives the recipe to
use, and no figure.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.seen_weights import refuse_seen
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.csv_files import write_csv
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.extras import require
from tumorscope.common.files import output_folder, write_text
from tumorscope.common.limits import check_seed
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say
from tumorscope.common.versions import versions
from tumorscope.experiments.fold_runner import records_of
from tumorscope.experiments.search.objective import Bench, Judge, Objective, fit_rest, scored
from tumorscope.experiments.search.result import Search
from tumorscope.experiments.search.space import Range, changed, load_space
from tumorscope.experiments.search.storage import (
    database,
    finished,
    open_studies,
    run_trials,
)
from tumorscope.networks.weights import record_of, weights_identity
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import Cohort, Protocol, data_hash
from tumorscope.records.scores import scores_in
from tumorscope.statistics.two_classes import evaluate_scores

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
    objective: Objective = "log-loss",
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
    outer_folds : int
        0 searches once, on everything, and reports no figure.
    inner_folds : int
        By which a trial is judged.
    objective : {"log-loss", "auc"}
        The log loss by default: it is a proper score, so that it also rewards probabilities that
        mean what they say, and it is less coarse than an AUC of a few dozen images.
    timeout : float, optional
        Seconds after which each study stops.
    seed : int
        Of the folds and the sampler.

    Raises
    ------
    InputError
        If the cohort, recipe or space cannot be used, the output or the storage holds another
        search, or the storage cannot be used.
    UsageError
        If a number is out of range, or Optuna is not installed.
    """
    _check_numbers(trials, outer_folds, inner_folds, timeout, seed)
    require("train", "tune", to="search for a recipe")
    base = Recipe.of(recipe)
    _check_task(base)
    ranges = load_space(space, base)
    folder = output_folder(Path(output))
    whole = prepare_manifest(data)
    manifest, testing = _without_testing(whole.usable)
    started_from = record_of(base.network.backbone, weights)
    refuse_seen(started_from, manifest, "the search")
    url = storage or f"sqlite:///{(folder / 'study.db').resolve()}"
    fits = trials * inner_folds * (outer_folds + 1) + outer_folds
    say(
        f"At most {fits} fits: {trials} trials × {inner_folds} inner folds × "
        f"{outer_folds + 1} searches, and {outer_folds} to measure them. Pruning saves some."
    )
    protocol = Protocol(
        recipe=base,
        weights=(started_from,),
        data=Cohort.of(manifest),
        search={
            "outer_folds": outer_folds,
            "inner_folds": inner_folds,
            "objective": objective,
            "seed": seed,
            "space": {key: span.model_dump(mode="json") for key, span in sorted(ranges.items())},
        },
        versions=versions(),
    )
    origin = weights_identity(weights)
    older = _older_key(base, ranges, manifest, origin, (outer_folds, inner_folds), objective, seed)
    everything = np.arange(len(manifest))
    labels, groups = manifest.labels, manifest.groups
    plans: list[tuple[str, NDArray[np.int64]]] = []
    held_out = np.full(len(manifest), -1, dtype=np.int64)
    if outer_folds:
        held_out = grouped_folds(labels, groups, folds=outer_folds, seed=seed)
        plans += [
            (f"outer-{fold}", np.flatnonzero(held_out != fold)) for fold in range(outer_folds)
        ]
    plans.append(("final", everything))
    # Nothing is written before it is clear that folder and database belong to this search.
    _check_folder(folder, manifest)
    names = [name for name, _ in plans]
    studies = open_studies(
        url, names, protocol=protocol, older=older, objective=objective, seed=seed
    )
    manifest = _kept(folder, data, manifest)
    bench = Bench(manifest, base, weights, origin=origin)

    best: dict[str, Recipe] = {}
    scores = np.full(len(manifest), np.nan)
    for name, rest in plans:
        study = studies[name]
        judge = Judge(bench, rest, ranges, inner_folds, objective, seed)
        with database(url):
            run_trials(study, judge, trials=trials, timeout=timeout, label=f"Search {name}")
            if not finished(study, complete=True):
                raise InputError(
                    f"No trial of the search {name} was finished ({finished(study)} diverged or "
                    "were pruned); expected at least one. Give it more time with --timeout, more "
                    "trials, or a space with lower learning rates."
                )
            best[name] = changed(base, study.best_params, name=f"{base.name}-tuned")
        if name != "final":
            fold = int(name.split("-")[1])
            kept = folder / "outer" / f"fold-{fold}.csv"
            outer = np.flatnonzero(held_out == fold)
            scores[outer] = _measured(
                bench, best[name], rest, outer, kept, fold, seed, protocol.key
            )

    metrics = None
    if outer_folds:
        metrics = evaluate_scores(labels, scores, groups=groups)
        write_csv(folder / "scores.csv", COLUMNS, _records(manifest, scores, held_out, everything))
    write_text(folder / "best.toml", best["final"].to_toml())
    result = Search(
        best["final"], metrics, studies, folder, whole.unreadable, testing, whole.notes.passed_over
    )
    from tumorscope.experiments.search.report import write_search_report  # needs `Search` in turn

    facts = _facts(base, fits, manifest)
    with database(url):
        write_search_report(result, objective=objective, best=best, facts=facts)
    return result


def _check_numbers(
    trials: int, outer_folds: int, inner_folds: int, timeout: float | None, seed: int
) -> None:
    if trials < 1 or inner_folds < 2 or outer_folds == 1 or outer_folds < 0:
        raise UsageError(
            f"Received {trials} trials, {outer_folds} outer and {inner_folds} inner folds. "
            "Expected at least 1 trial, 2 inner folds, and 0 or at least 2 outer folds."
        )
    if timeout is not None and not timeout > 0:
        raise UsageError(f"Received timeout = {timeout}; expected seconds, more than 0.")
    check_seed(seed)


def _check_task(base: Recipe) -> None:
    if base.task != "tumour":
        raise InputError(
            f'Received the recipe {base.name} of the task "{base.task}". Expected one of the task '
            '"tumour", which is what trials are judged by. Search with task = "tumour", then train '
            f"what was found with --task {base.task}; or compare recipes of that task with "
            "tumorscope crossval."
        )


def _without_testing(manifest: Manifest) -> tuple[Manifest, int]:
    """Return the images to search on, and how many are kept for testing what is found."""
    rows = [row for row in manifest.rows if row.split != "testing"]
    testing = len(manifest) - len(rows)
    if not rows:
        raise InputError(
            f'All {testing} images of the manifest have the split "testing". Expected others to '
            "search on, because a recipe that was chosen by testing images cannot be tested on "
            "them. Split with `tumorscope split`, or empty the column split."
        )
    if testing:
        # Copies of testing images on the other side would choose the recipe as well.
        manifest.check_groups()
        say(
            f"{testing} images of the testing part are left out: a recipe that was chosen by them "
            "could not be tested on them."
        )
    return manifest.having(rows), testing


def _check_folder(folder: Path, manifest: Manifest) -> None:
    kept = folder / "manifest.csv"
    if kept.exists() and data_hash(Manifest.load(kept).usable) != data_hash(manifest):
        raise InputError(
            f"{kept} is of another cohort than the {len(manifest)} images received. Expected an "
            "output folder that is new, or of a search over the same images, labels and groups. "
            "Choose another with -o, or give the cohort of that search again."
        )


def _kept(folder: Path, data: Data, manifest: Manifest) -> Manifest:
    """Return the manifest as it lies in the folder of the search, with paths from there."""
    kept = folder / "manifest.csv"
    # Where it is the one that was given, it may also tell of files that cannot be read.
    if isinstance(data, Manifest) or Path(data).resolve() != kept.resolve():
        manifest.save(kept)
    return Manifest.load(kept).usable


def _measured(
    bench: Bench,
    recipe: Recipe,
    rest: NDArray[np.int64],
    testing: NDArray[np.int64],
    kept: Path,
    fold: int,
    seed: int,
    identity: str,
) -> NDArray[np.float64]:
    """Return the scores of an outer fold by the recipe that was found without it."""
    mark = hashlib.sha256(f"{identity}\n{recipe.to_toml()}".encode()).hexdigest()
    stamp = kept.with_suffix(".recipe")
    if kept.exists() and stamp.exists() and stamp.read_text("utf-8") == mark:
        rows = [bench.manifest.rows[index] for index in testing]
        records = records_of(kept, [(row.path, str(row.label)) for row in rows])
        return scores_in(kept, records)[:, 0]
    fitter = bench.fitter(recipe)
    fit_rest(fitter, recipe, bench.manifest, rest, seed=seed)
    scores = scored(fitter, testing)
    everything = np.full(len(bench.manifest), np.nan)
    everything[testing] = scores
    folds = np.full(len(bench.manifest), fold)
    write_csv(kept, COLUMNS, _records(bench.manifest, everything, folds, testing))
    write_text(stamp, mark)
    return scores


def _records(
    manifest: Manifest,
    scores: NDArray[np.float64],
    folds: NDArray[np.int64],
    chosen: NDArray[np.int64],
) -> Sequence[dict[str, object]]:
    return [
        {
            "path": manifest.rows[index].path,
            "label": manifest.rows[index].label,
            "fold": int(folds[index]),
            "score": f"{scores[index]:.8f}",
        }
        for index in chosen
    ]


def _older_key(
    base: Recipe,
    space: dict[str, Range],
    manifest: Manifest,
    weights: str,
    folds: tuple[int, int],
    objective: str,
    seed: int,
) -> str:
    """Return what versions before `Protocol` told searches apart by."""
    parts = [base.to_toml(), data_hash(manifest), weights, str(folds), objective, str(seed)]
    parts += [f"{key} {span.model_dump_json()}" for key, span in sorted(space.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _facts(base: Recipe, fits: int, manifest: Manifest) -> dict[str, str]:
    return {
        "recipe": base.name,
        "images": str(len(manifest)),
        "groups": str(len(set(manifest.groups.tolist()))),
        "fits at most": str(fits),
        "data SHA-256": data_hash(manifest),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
