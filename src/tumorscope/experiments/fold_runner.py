"""The folds of a cross-validation: fitted one after another, each kept at once on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import portable_path
from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.common.errors import InputError
from tumorscope.common.files import write_text
from tumorscope.common.progress import track
from tumorscope.experiments.fold_plan import Fold, FoldPlan
from tumorscope.experiments.learner import Estimator, Learner
from tumorscope.records.checkpoint import Record
from tumorscope.records.commands import FOLDS_RECIPE
from tumorscope.records.fold_protocol import PROTOCOL, read_protocol
from tumorscope.records.protocol import Protocol, SplitMode, write_protocol
from tumorscope.records.reserve import reserve
from tumorscope.records.scores import scores_in
from tumorscope.training.trainer import DivergedError


def score_folds(
    plan: FoldPlan, learner: Learner, *, split_by: SplitMode, folder: Path
) -> NDArray[np.float64]:
    """Fit every fold that `folder` does not hold yet, and write scores.csv.

    Returns
    -------
    ndarray of float64, shape (n, repeats, classes)
        One class where a score is one number; NaN where an image is not scored.

    Raises
    ------
    InputError
        If a fold leaves too little to learn from, or one that is kept is damaged.
    DivergedError
        If a score is not a number.
    """
    scores = np.full((*plan.held_out.shape, len(plan.score_columns)), np.nan)
    missing = []
    for fold in plan.folds:
        if (kept := fold_file(folder, fold)).exists():
            scores[fold.tested, fold.repeat] = kept_scores(plan, fold, kept)
        else:
            plan.check(fold)
            missing.append(fold)
    epochs = track(
        # Asked once before the first epoch begins.
        range(len(missing) * learner.epochs + 1),
        "Cross-validating",
        total=len(missing) * learner.epochs,
        unit="epochs",
    )

    def advance(_: Record | None = None) -> None:
        next(epochs)

    advance()
    estimator = learner.start(plan.manifest, split_by) if missing else None
    for fold in missing:
        assert estimator is not None
        estimator.fit(fold.known, seed=fold.seed, on_epoch=advance)
        scores[fold.tested, fold.repeat] = scored(plan, fold, estimator, fold_file(folder, fold))
    epochs.close()
    records = [
        record
        for fold in plan.folds
        for record in records_of(plan, fold, scores[fold.tested, fold.repeat])
    ]
    write_csv(folder / "scores.csv", plan.columns, records)
    return scores


def scored(plan: FoldPlan, fold: Fold, estimator: Estimator, file: Path) -> NDArray[np.float64]:
    """Score a fold by what was fitted to the rest, and keep the scores in `file`.

    Returns
    -------
    ndarray of float64, shape (images of the fold, classes)

    Raises
    ------
    DivergedError
        If a score is not a number.
    """
    scores = finite_scores(estimator, fold.tested).reshape(len(fold.tested), -1)
    write_csv(file, plan.columns, records_of(plan, fold, scores))
    return scores


def kept_scores(plan: FoldPlan, fold: Fold, file: Path) -> NDArray[np.float64]:
    """Return the scores of a fold that `scored` has kept; rows must be those of the plan.

    Raises
    ------
    InputError
        If they are of other images, in another order, or damaged: scores would go to wrong images.
    """
    records = checked_records(file, plan.names(fold))
    return scores_in(file, records, tuple(plan.score_columns))


def finite_scores(estimator: Estimator, tested: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the scores of images.

    Raises
    ------
    DivergedError
        If one is not a number.
    """
    scores = estimator.predict(tested)
    if not np.isfinite(scores).all():
        raise DivergedError(
            "The scores are not numbers after the last epoch; expected finite values. The learning "
            "rate is probably too high: lower it in the recipe."
        )
    return scores


def fold_file(folder: Path, fold: Fold) -> Path:
    """Return where the scores of a fold lie."""
    return folder / "folds" / f"repeat-{fold.repeat}-fold-{fold.number}.csv"


def reserve_folds(folder: Path, protocol: Protocol, plan: FoldPlan, *, resume: bool) -> None:
    """Make sure that finished folds in `folder` belong to this protocol, and note it there.

    Parameters
    ----------
    folder : Path
        Of the cross-validation.
    protocol : Protocol
        What is asked for.
    plan : FoldPlan
        With the manifest as it was given.
    resume : bool
        Whether folds that are there may be kept.

    Raises
    ------
    UsageError, InputError
        If there are folds and `resume` is false, or they are of another protocol or of images
        that lie elsewhere; nothing is written then.
    """
    # A protocol without a fold is what a failure before the first one left.
    if any((folder / "folds").glob("*.csv")):
        reserve(
            folder,
            protocol,
            there="folds of a cross-validation",
            kept=lambda: read_protocol(folder),
            resume=resume,
            what=f"The folds in {folder} belong",
            passing=("recipe.data.fractions",),
        )
        for fold in plan.folds:
            if (path := fold_file(folder, fold)).exists():
                # As they will be called in the manifest beside them.
                names = [
                    (portable_path(plan.manifest.file(plan.manifest.rows[index]), folder), label)
                    for index, (_, label) in zip(fold.tested, plan.names(fold), strict=True)
                ]
                checked_records(path, names)
    write_protocol(folder / PROTOCOL, protocol)
    # As whole as it was followed, so that the command in the report can be run.
    write_text(folder / FOLDS_RECIPE, protocol.recipe.to_toml())


def checked_records(kept: Path, names: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the records of a finished fold, which must be of these paths and labels.

    Raises
    ------
    InputError
        If they are of others, in another order, or damaged: scores would go to wrong images.
    """
    records = read_csv(kept)
    if [(record.get("path"), record.get("label")) for record in records] != list(names):
        raise InputError(
            f"{kept} is damaged, or holds other images than this fold, or in another order. "
            "Expected the cohort as it was when the fold was made. Give it again, choose another "
            "folder with -o, or delete the file."
        )
    return records


def records_of(plan: FoldPlan, fold: Fold, scores: NDArray[np.float64]) -> list[dict[str, object]]:
    """Return the lines of scores.csv of a fold, from its scores (images of the fold, classes)."""
    return [
        {
            "path": path,
            "label": label,
            "repeat": fold.repeat,
            "fold": fold.number,
            **{name: f"{each[place]:.8f}" for name, place in plan.score_columns.items()},
        }
        for (path, label), each in zip(plan.names(fold), scores, strict=True)
    ]
