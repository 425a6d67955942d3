"""Search over a recipe, nested in grouped folds so that no reported figure was tuned on.

For each outer fold a study of its own searches on inner folds of the other groups; the best recipe
is fitted on them and scores the outer fold, once. A last study on everything gives the recipe to
use, and no figure.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import output_folder, write_text
from tumorscope.common.progress import say
from tumorscope.evaluation.metrics import Metrics, evaluate_scores
from tumorscope.training.data import Images, load_images
from tumorscope.training.fit import DivergedError, Fitter, Stores
from tumorscope.training.folds import records_of, training_and_tuning
from tumorscope.training.packaged_weights import refuse_seen
from tumorscope.training.recipe import Recipe
from tumorscope.training.run import Data, data_hash, prepare_manifest, start, write_csv
from tumorscope.training.search_space import Range, changed, load_space, suggest
from tumorscope.training.studies import finished, open_study, run_trials

if TYPE_CHECKING:
    import keras
    import optuna

Objective = Literal["log-loss", "auc"]

COLUMNS = ("path", "label", "fold", "score")


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A finished search.

    Attributes
    ----------
    best : Recipe
        Found on all images.
    metrics : Metrics or None
        Of the outer folds; None without them.
    studies : dict of str to optuna.Study
        "outer-0" … and "final".
    folder : Path
        Holds best.toml, tuning.json, report.html and scores.csv.
    unreadable : tuple of str
        Files that could not be read and were left out.
    """

    best: Recipe
    metrics: Metrics | None
    studies: dict[str, optuna.Study]
    folder: Path
    unreadable: tuple[str, ...] = ()


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

    Parameters
    ----------
    data : path or Manifest
        A folder of class folders, or a manifest; its splits are not used.
    trials : int
        Of each study.
    output : path
        Folder for the results.
    recipe : str, Path or Recipe
        Where the search starts, and what it leaves alone.
    space : path, optional
        A TOML file of ranges; see `tumorscope.training.search_space.load_space`.
    storage : str, optional
        URL of a database that Optuna knows; by default an SQLite file in `output`. Several
        workers that give the same URL share the trials.
    weights : str or path
        As for `tumorscope.training.run.train`.
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
        If the cohort, recipe or space cannot be used, or the storage holds another search.
    UsageError
        If a number is out of range, or Optuna is not installed.
    """
    if trials < 1 or inner_folds < 2 or outer_folds == 1 or outer_folds < 0:
        raise UsageError(
            f"Received {trials} trials, {outer_folds} outer and {inner_folds} inner folds. "
            "Expected at least 1 trial, 2 inner folds, and 0 or at least 2 outer folds."
        )
    base = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    ranges = load_space(space, base)
    folder = output_folder(Path(output))
    whole = prepare_manifest(data)
    manifest = whole.usable
    refuse_seen(weights, manifest, "the search")
    manifest.save(folder / "manifest.csv")
    manifest = Manifest.load(folder / "manifest.csv")
    url = storage or f"sqlite:///{(folder / 'study.db').resolve()}"
    fits = trials * inner_folds * (outer_folds + 1) + outer_folds
    say(
        f"At most {fits} fits: {trials} trials × {inner_folds} inner folds × "
        f"{outer_folds + 1} searches, and {outer_folds} to measure them. Pruning saves some."
    )
    identity = _identity(
        base, ranges, manifest, str(weights), (outer_folds, inner_folds), objective, seed
    )
    bench = _Bench(manifest, base, weights)
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

    studies: dict[str, optuna.Study] = {}
    best: dict[str, Recipe] = {}
    scores = np.full(len(manifest), np.nan)
    for name, rest in plans:
        study = open_study(url, name=name, identity=identity, objective=objective, seed=seed)
        judge = _Judge(bench, rest, ranges, inner_folds, objective, seed)
        run_trials(study, judge, trials=trials, timeout=timeout, label=f"Search {name}")
        if not finished(study, complete=True):
            raise InputError(
                f"No trial of the search {name} was finished; expected at least one. Give it more "
                "time with --timeout, or more trials."
            )
        studies[name] = study
        best[name] = changed(base, study.best_params, name=f"{base.name}-tuned")
        if name != "final":
            fold = int(name.split("-")[1])
            kept = folder / "outer" / f"fold-{fold}.csv"
            testing = np.flatnonzero(held_out == fold)
            scores[testing] = _measured(
                bench, best[name], rest, testing, kept, fold, seed, identity
            )

    metrics = None
    if outer_folds:
        metrics = evaluate_scores(labels, scores, groups=groups)
        write_csv(folder / "scores.csv", COLUMNS, _records(manifest, scores, held_out, everything))
    write_text(folder / "best.toml", best["final"].to_toml())
    result = Search(best["final"], metrics, studies, folder, whole.unreadable)
    from tumorscope.training.search_report import write_search_report  # needs `Search` in turn

    write_search_report(result, objective=objective, best=best, facts=_facts(base, fits, manifest))
    return result


class _Bench:
    """The cohort, and what trials can share: networks and the features of frozen layers."""

    def __init__(self, manifest: Manifest, base: Recipe, weights: str | Path) -> None:
        self.manifest, self._weights = manifest, weights
        self.base = base
        self._images: dict[str, Images] = {}
        self._networks: dict[str, tuple[keras.Model, list[NDArray[np.float32]]]] = {}
        self._stores: Stores = {}
        self._kind = ""

    def fitter(self, recipe: Recipe) -> Fitter:
        """Return a fitter of a recipe, from the same starting weights every time."""
        prepared = recipe.input.model_dump_json()
        if prepared not in self._images:
            self._images[prepared] = load_images(self.manifest, recipe.input.preprocessing)
        network = prepared + recipe.network.model_dump_json()
        if network not in self._networks:
            model, _ = start(recipe, self._weights)
            self._networks[network] = model, model.get_weights()
        model, weights = self._networks[network]
        model.set_weights(weights)
        # Features depend on pictures and frozen layers, not on how the rest is trained. Those of
        # the last kind only are kept: a search over augmentation would fill the memory.
        tuned = recipe.fine_tuning
        kind = f"{network}{recipe.augmentation.model_dump_json()}{tuned.from_layer}{tuned.size}"
        if kind != self._kind:
            self._kind, self._stores = kind, {}
        return Fitter(model, self._images[prepared], recipe, stores=self._stores)


@dataclass(frozen=True, slots=True)
class _Judge:
    """What a trial is worth: the mean over inner folds."""

    bench: _Bench
    rest: NDArray[np.int64]
    space: dict[str, Range]
    folds: int
    objective: Objective
    seed: int

    def __call__(self, trial: optuna.Trial) -> float:
        import optuna

        base = self.bench.base
        recipe = changed(base, suggest(trial, self.space, base))
        fitter = self.bench.fitter(recipe)
        labels = self.bench.manifest.labels[self.rest]
        groups = self.bench.manifest.groups[self.rest]
        folds = grouped_folds(labels, groups, folds=self.folds, seed=self.seed)
        values: list[float] = []
        for fold in range(self.folds):
            testing = self.rest[folds == fold]
            try:
                _fit(fitter, recipe, self.bench.manifest, self.rest[folds != fold], self.seed)
            except DivergedError as error:  # as where the learning rate is too high
                raise optuna.TrialPruned(str(error)) from error
            scores = fitter.predict(testing)
            values.append(loss_of(self.bench.manifest.labels[testing], scores, self.objective))
            trial.report(float(np.mean(values)), fold)
            if fold + 1 < self.folds and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(values))


def loss_of(labels: NDArray[np.int64], scores: NDArray[np.float64], objective: Objective) -> float:
    """Return what is to be made small: the log loss, or 1 − AUC."""
    from sklearn.metrics import log_loss, roc_auc_score

    if objective == "log-loss":
        return float(log_loss(labels, np.clip(scores, 1e-7, 1 - 1e-7), labels=[0, 1]))
    if not 0 < labels.sum() < len(labels):
        return math.nan
    return 1.0 - float(roc_auc_score(labels, scores))


def _fit(
    fitter: Fitter, recipe: Recipe, manifest: Manifest, rest: NDArray[np.int64], seed: int
) -> None:
    """Fit on `rest`; a part of it tunes the learning rate where the recipe wants that."""
    training, tuning = training_and_tuning(
        rest, manifest.labels, manifest.groups, recipe, seed=seed, split_by="group"
    )
    fitter.fit(training=training, tuning=tuning, seed=seed)


def _measured(
    bench: _Bench,
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
        return np.array([float(record["score"]) for record in records])
    fitter = bench.fitter(recipe)
    _fit(fitter, recipe, bench.manifest, rest, seed)
    scores = fitter.predict(testing)
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


def _identity(
    base: Recipe,
    space: dict[str, Range],
    manifest: Manifest,
    weights: str,
    folds: tuple[int, int],
    objective: str,
    seed: int,
) -> str:
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
