"""The folds of a cross-validation: fitted one after another, each kept at once on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import portable_path
from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.common.errors import InputError
from tumorscope.common.files import write_text
from tumorscope.common.progress import track
from tumorscope.experiments.fold_plan import Fold, FoldPlan
from tumorscope.experiments.learner import Estimator, Learner, finite_scores
from tumorscope.experiments.ray_folds import fitted_on_ray
from tumorscope.records.checkpoint import Record
from tumorscope.records.commands import FOLDS_RECIPE
from tumorscope.records.fold_protocol import PROTOCOL, read_protocol
from tumorscope.records.protocol import Protocol, SplitMode, write_protocol
from tumorscope.records.reserve import reserve
from tumorscope.records.scores import scores_in


def score_folds(
    plan: FoldPlan,
    learner: Learner,
    *,
    split_by: SplitMode,
    folder: Path,
    ray: str | None = None,
) -> NDArray[np.float64]:
    """Fit every fold that `folder` does not hold yet, and write scores.csv.

    With `ray`, the address of a cluster, folds are fitted at the same time.

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
    fitted = (
        _fitted(plan, learner, missing, split_by=split_by)
        if ray is None
        else track(
            fitted_on_ray(plan, learner, missing, split_by=split_by, address=ray),
            "Cross-validating",
            total=len(missing),
            unit="folds",
        )
    )
    for fold, found in fitted if missing else ():
        scores[fold.tested, fold.repeat] = kept_now(plan, fold, found, fold_file(folder, fold))
    records = [
        record
        for fold in plan.folds
        for record in records_of(plan, fold, scores[fold.tested, fold.repeat])
    ]
    write_csv(folder / "scores.csv", plan.columns, records)
    return scores


def _fitted(
    plan: FoldPlan, learner: Learner, folds: Sequence[Fold], *, split_by: SplitMode
) -> Iterator[tuple[Fold, NDArray[np.float64]]]:
    """Yield each fold with the scores of its images, one after the other."""
    epochs = track(
        # Asked once before the first epoch begins.
        range(len(folds) * learner.epochs + 1),
        "Cross-validating",
        total=len(folds) * learner.epochs,
        unit="epochs",
    )

    def advance(_: Record | None = None) -> None:
        next(epochs)

    advance()
    estimator = learner.start(plan.manifest, split_by)
    for fold in folds:
        estimator.fit(fold.known, seed=fold.seed, on_epoch=advance)
        yield fold, finite_scores(estimator, fold.tested)
    epochs.close()


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
    return kept_now(plan, fold, finite_scores(estimator, fold.tested), file)


def kept_now(
    plan: FoldPlan, fold: Fold, found: NDArray[np.float64], file: Path
) -> NDArray[np.float64]:
    """Keep the scores of a fold in `file`, and return them, (images of the fold, classes)."""
    scores = found.reshape(len(fold.tested), -1)
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
