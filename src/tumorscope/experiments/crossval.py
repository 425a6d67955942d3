"""Grouped, stratified, repeated cross-validation, by group or by source.

Every image is scored by models that never saw it, nor a copy of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.evaluation import Evaluation
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.common.extras import require
from tumorscope.common.locks import one_writer
from tumorscope.experiments.crossval_report import write_crossval_report
from tumorscope.experiments.crossval_scores import FoldsAsked, ScoredCohort, score_cohort
from tumorscope.experiments.learner import Learner
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import SplitMode
from tumorscope.statistics.metrics import Metrics


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Scores of images by models that did not see them.

    Attributes
    ----------
    manifest : Manifest
        The usable images, in the order of the arrays.
    scores : ndarray of float64, shape (n, repeats) or (n, repeats, classes)
        Probability of tumour; of each class where the recipe tells tumour types apart.
    folds : ndarray of int64, shape (n, repeats)
        In which fold each image was held out.
    metrics : Metrics
        Of all folds together.
    folder : Path
        Holds scores.csv, metrics.json and report.html.
    unreadable : tuple of str
        Files that could not be read and were left out.
    passed_over : PassedOver
        What of a folder was not looked at, by reason.
    """

    manifest: Manifest
    scores: NDArray[np.float64]
    folds: NDArray[np.int64]
    metrics: Metrics
    folder: Path
    unreadable: tuple[str, ...] = ()
    passed_over: PassedOver = field(default_factory=PassedOver, compare=False)


@one_writer
def crossval(
    data: Data,
    *,
    recipe: str | Path | Recipe = "paper",
    folds: int = 5,
    repeats: int = 3,
    weights: str | Path = "imagenet",
    output: str | Path,
    split_by: SplitMode = "group",
    hold_out: Sequence[str | Sequence[str]] = (),
    method: Learner | None = None,
    resume: bool = False,
    ray: str | None = None,
) -> CrossValidation:
    """Cross-validate a recipe, of whichever task.

    In each fold, one part in `folds` of the groups is held out for testing. Of the rest, about a
    sixth is for tuning where the recipe reduces the learning rate by the tuning loss, and the
    others train; with another schedule all of the rest train.

    With `hold_out` each fold leaves out whole sources, and images elsewhere that belong to a group
    with one of them: what the model says of images from a place that it has never seen.

    Parameters
    ----------
    data : path or Manifest
        A folder of class folders, or a manifest; its splits are not used, except that images of
        the split "testing" never train where sources are left out.
    recipe, weights
        As for `tumorscope.training.train.train`; the recipe's task decides which classes.
    folds, repeats : int
        At least 2 and at least 1.
    output : path
        Each finished fold is kept there at once.
    split_by : {"group", "random"}
        "random" separates copies of one picture; its results are too good, and the report says so.
    hold_out : sequence of sequences of str
        Sources to leave out, one fold per inner sequence, instead of `folds` and `repeats`;
        ``[["each"]]`` leaves out every source in turn. A string in the place of a sequence is read
        as the command line does, see `tumorscope.experiments.sources.sources_named`. Images of
        sources that are not named are not scored.
    method : Learner, optional
        By default the network that the recipe describes, trained as it says.
    resume : bool
        Keep the folds that are finished.
    ray : str, optional
        Address of a Ray cluster, or "local": folds at the same time, one per core. Its machines
        must see the images under the same paths.

    Raises
    ------
    InputError, UsageError, OutputError
        If the cohort, the numbers or the folder cannot be used.
    """
    require("train", to="cross-validate a recipe")
    asked = FoldsAsked(folds, repeats, split_by, hold_out, ray)
    found = score_cohort(
        data, asked, Recipe.of(recipe), weights, learner=method, output=Path(output), resume=resume
    )
    return _reported(found)


def _reported(found: ScoredCohort) -> CrossValidation:
    scores = found.scores
    return CrossValidation(
        found.manifest,
        scores[:, :, 0] if scores.shape[2] == 1 else scores,
        found.held_out,
        write_crossval_report(found),
        found.folder,
        found.whole.unreadable,
        found.whole.notes.passed_over,
    )


def crossval_types(
    data: Data,
    *,
    recipe: str | Path | Recipe = "paper",
    folds: int = 5,
    repeats: int = 1,
    weights: str | Path = "imagenet",
    output: str | Path,
    split_by: SplitMode = "group",
    hold_out: Sequence[str | Sequence[str]] = (),
    resume: bool = False,
) -> Evaluation:
    """Cross-validate a recipe that tells tumour types apart.

    Parameters
    ----------
    data : path or Manifest
        A folder with the class folders glioma, meningioma, pituitary and notumor, or a manifest
        with the column ``tumour_type``; its splits are used as by `crossval`.
    recipe : str, Path or Recipe
        Followed with ``task = "tumour-type"``, see `Recipe.for_task`.
    folds, repeats, weights, output, split_by, hold_out, resume
        As for `crossval`.

    Raises
    ------
    InputError, UsageError, OutputError
        If the cohort, the numbers or the folder cannot be used.
    """
    found = crossval(
        data,
        recipe=Recipe.of(recipe).for_task("tumour-type"),
        folds=folds,
        repeats=repeats,
        weights=weights,
        output=output,
        split_by=split_by,
        hold_out=hold_out,
        resume=resume,
    )
    return Evaluation(
        metrics=found.metrics,
        report=found.folder / "report.html",
        manifest=found.manifest,
        scores=found.scores,
        unreadable=found.unreadable,
        passed_over=found.passed_over,
    )
