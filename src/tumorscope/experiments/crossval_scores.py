"""From a cohort and a recipe to the scores of every image, for two classes and for several."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.seen import refuse_seen
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.arrays import labels_for
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.overwriting import protect_edits
from tumorscope.common.limits import check_folds
from tumorscope.common.versions import versions
from tumorscope.experiments.fold_plan import FoldPlan, repeated_folds, source_folds, sources_of
from tumorscope.experiments.fold_runner import reserve_folds, score_folds
from tumorscope.experiments.learner import Learner, network_learner
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.evaluation_folder import cross_validation_folder, named
from tumorscope.records.protocol import Cohort, Protocol, SplitMode
from tumorscope.records.run_folder import SCORE_COLUMNS


@dataclass(frozen=True, slots=True)
class FoldsAsked:
    """How a cohort is to be divided; see `tumorscope.experiments.crossval.crossval`."""

    folds: int
    repeats: int
    split_by: SplitMode = "group"
    hold_out: Sequence[str | Sequence[str]] = ()
    ray: str | None = None

    def __post_init__(self) -> None:
        if not self.hold_out:
            check_folds(self.folds, self.repeats)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCohort:
    """What a report on a cross-validation is written from.

    Attributes
    ----------
    manifest : Manifest
        The images that were scored, in the order of the arrays.
    labels : ndarray of int64, shape (n,)
        From 0.
    scores : ndarray of float64, shape (n, repeats, classes)
        One class where a score is the probability of tumour.
    held_out : ndarray of int64, shape (n, repeats)
        In which fold each image was scored.
    whole : Manifest
        The cohort as it was received, with what cannot be read.
    protocol : Protocol
        What decided the scores.
    learner : Learner
        What was fitted.
    data, weights : str
        As they were named.
    folder : Path
        Where the report goes.
    seconds : float
        That the folds took which were not kept.
    """

    manifest: Manifest
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    held_out: NDArray[np.int64]
    whole: Manifest
    protocol: Protocol
    learner: Learner
    data: str
    weights: str
    folder: Path
    seconds: float


def score_cohort(
    data: Data,
    asked: FoldsAsked,
    recipe: Recipe,
    weights: str | Path,
    *,
    output: Path,
    learner: Learner | None = None,
    resume: bool = False,
) -> ScoredCohort:
    """Score every image of a cohort by models that did not see it.

    Parameters and errors as for `tumorscope.experiments.crossval.crossval`; classes are those of
    the recipe's task.
    """
    folder = cross_validation_folder(output, data)
    learner = learner or network_learner(recipe, weights)
    whole = prepare_manifest(data)
    if asked.hold_out and asked.split_by == "group":
        whole.check_groups()  # images of the split "testing" never train, and nor do their copies
    manifest = whole.usable
    hold_out = sources_of(asked.hold_out, manifest)
    plan = _plan(manifest, asked, hold_out, recipe)
    if not learner.name and recipe.optimisation.schedule == "plateau":
        plan = replace(plan, least=2)  # some of what may be learnt from is kept for tuning
    for origin in learner.weights:
        refuse_seen(origin, manifest.having(plan.scored_rows), "the cross-validation")
    protocol = Protocol(
        recipe=recipe,
        weights=learner.weights,
        data=Cohort.of(manifest, masks=recipe.trains_on_places),
        split=asked.split_by,
        method=learner.name or _classes(plan.labels, recipe),
        folds=len(hold_out) or asked.folds,
        repeats=1 if hold_out else asked.repeats,
        hold_out=tuple(tuple(sorted(names)) for names in hold_out),
        versions=versions(),
    )
    if not (folder / "folds").is_dir():
        protect_edits(whole, folder / "manifest.csv", whole=False)
    reserve_folds(folder, protocol, plan, resume=resume)
    plan = replace(plan, manifest=_saved(manifest, folder, whole))
    started = time.time()
    scores = score_folds(plan, learner, split_by=asked.split_by, folder=folder, ray=asked.ray)
    scored = plan.manifest.having(plan.scored_rows)
    scored.save(folder / "manifest.csv")
    return ScoredCohort(
        manifest=scored,
        labels=plan.labels[plan.scored],
        scores=scores[plan.scored],
        held_out=plan.held_out[plan.scored],
        whole=whole,
        protocol=protocol,
        learner=learner,
        data=named(data),
        weights=str(weights),
        folder=folder,
        seconds=time.time() - started,
    )


def _plan(
    manifest: Manifest, asked: FoldsAsked, hold_out: Sequence[Sequence[str]], recipe: Recipe
) -> FoldPlan:
    labels = labels_for(recipe.task, manifest, complete=True)
    barred = np.array([bool(hold_out) and row.split == "testing" for row in manifest.rows])
    held_out = (
        source_folds(hold_out, manifest)
        if hold_out
        else repeated_folds(
            labels,
            manifest.groups,
            seed=recipe.seed,
            folds=asked.folds,
            repeats=asked.repeats,
            split_by=asked.split_by,
        )
    )
    return FoldPlan(
        manifest,
        labels,
        held_out,
        seed=recipe.seed,
        barred=barred,
        by_source=bool(hold_out),
        by_image=asked.split_by == "random",
        score_columns={name: place for place, name in enumerate(SCORE_COLUMNS[recipe.task])},
    )


def _classes(labels: NDArray[np.int64], recipe: Recipe) -> str:
    """Return what tells cohorts apart whose types were changed, by the name of the method."""
    if recipe.task == "tumour":
        return ""
    return f"classes {' '.join(map(str, np.bincount(labels)))}"


def _saved(manifest: Manifest, folder: Path, whole: Manifest) -> Manifest:
    """Return the manifest read back, so that paths in scores.csv are those in the one beside it."""
    manifest.save(folder / "manifest.csv")
    kept = Manifest.load(folder / "manifest.csv")
    return replace(kept, joined=whole.joined, notes=whole.notes)
