"""The folds of a cross-validation: fitted one after another, each kept at once on disk."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import load_images
from tumorscope.cohort.manifest import Manifest, portable_path
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.common.errors import InputError
from tumorscope.common.files import write_text
from tumorscope.common.progress import track
from tumorscope.networks.start import start
from tumorscope.networks.weights import record_of
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Record
from tumorscope.records.commands import FOLDS_RECIPE
from tumorscope.records.fold_protocol import PROTOCOL, read_protocol
from tumorscope.records.protocol import Protocol, SplitMode, write_protocol
from tumorscope.records.reserve import reserve
from tumorscope.records.scores import scores_in
from tumorscope.training.fit import Fitter, epochs_of


class FoldFitter(typing.Protocol):
    """What cross-validation asks of a method; `tumorscope.training.fit.Fitter` is one."""

    def fit(
        self,
        *,
        training: NDArray[np.int64],
        tuning: NDArray[np.int64],
        seed: int,
        on_epoch: Callable[[Record], None] | None = None,
    ) -> object:
        """Fit to images of the cohort, by position, whatever was fitted before."""

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores, float64 (n,) or (n, classes), of images of the cohort."""


@dataclass(frozen=True, slots=True)
class Method:
    """What is cross-validated, where it is not the network of the recipe alone.

    Attributes
    ----------
    name : str
        Part of the protocol: folds of another method are refused.
    weights : callable
        (recipe, weights) → what they hold, for each backbone.
    title : str
        For the report.
    command : str
        Reproduces the result.
    start : callable
        (recipe, weights, cohort) → what fits and scores its folds.
    epochs : int
        How often `FoldFitter.fit` calls `on_epoch`.
    """

    name: str
    weights: Callable[[Recipe, str | Path], tuple[Weights, ...]]
    title: str
    command: str
    start: Callable[[Recipe, str | Path, Manifest], FoldFitter]
    epochs: int


@dataclass(frozen=True, slots=True)
class Folds:
    """Which images are scored when, and by what.

    Attributes
    ----------
    manifest : Manifest
        The usable images.
    labels : ndarray of int64, shape (n,)
        From 0.
    held_out : ndarray of int64, shape (n, repeats)
        Fold in which each image is scored; −1 for none.
    barred : ndarray of bool, shape (n,)
        Never trained on.
    by_source : bool
        Images elsewhere that share a group with those scored do not train.
    score_columns : mapping of str to int
        Column of scores.csv → position of its class; one column where a score is one number.
    """

    manifest: Manifest
    labels: NDArray[np.int64]
    held_out: NDArray[np.int64]
    barred: NDArray[np.bool_]
    by_source: bool = False
    score_columns: Mapping[str, int] = field(default_factory=lambda: {"score": 0})

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of scores.csv."""
        return ("path", "label", "repeat", "fold", *self.score_columns)


def network_method(recipe: Recipe) -> Method:
    """Return the method that trains the network which a recipe describes."""
    return Method(
        name="",
        weights=lambda recipe, weights: (record_of(recipe.network.backbone, weights),),
        title=f"the recipe “{recipe.name}”",
        command="",
        start=network_fitter,
        epochs=epochs_of(recipe),
    )


def network_fitter(recipe: Recipe, weights: str | Path, manifest: Manifest) -> FoldFitter:
    """Return what trains the network of a recipe on folds of a cohort."""
    model, _ = start(recipe, weights)
    return Fitter(model, load_images(manifest, recipe.input.preprocessing, recipe.task), recipe)


def repeated_folds(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    recipe: Recipe,
    folds: int,
    repeats: int,
    split_by: SplitMode,
) -> NDArray[np.int64]:
    """Return in which fold each image is scored, int64 (n, repeats)."""
    return np.stack(
        [
            grouped_folds(labels, groups, folds=folds, seed=recipe.seed + repeat, mode=split_by)
            for repeat in range(repeats)
        ],
        axis=1,
    )


def score_folds(
    plan: Folds,
    *,
    recipe: Recipe,
    weights: str | Path,
    method: Method,
    split_by: SplitMode,
    folder: Path,
) -> NDArray[np.float64]:
    """Fit every fold that `folder` does not hold yet, and write scores.csv.

    Returns
    -------
    ndarray of float64, shape (n, repeats, classes)
        One class where a score is one number; NaN where an image is not scored.
    """
    labels, groups, held_out = plan.labels, plan.manifest.groups, plan.held_out
    scores = np.full((*held_out.shape, len(plan.score_columns)), np.nan)
    parts = _parts(folder, held_out)
    todo = []
    for repeat, fold, kept in parts:
        if kept.exists():
            testing = np.flatnonzero(held_out[:, repeat] == fold)
            rows = [(plan.manifest.rows[index].path, str(labels[index])) for index in testing]
            records = records_of(kept, rows)
            scores[testing, repeat] = scores_in(kept, records, tuple(plan.score_columns))
        else:
            todo.append((repeat, fold, kept))
    for repeat, fold, _ in todo:
        _check_trainable(plan, held_out[:, repeat] == fold)
    fitter: FoldFitter | None = None
    epochs = track(
        # Asked once before the first epoch begins.
        range(len(todo) * method.epochs + 1),
        "Cross-validating",
        total=len(todo) * method.epochs,
        unit="epochs",
    )

    def advance(_: Record | None = None) -> None:
        next(epochs)

    advance()
    for repeat, fold, kept in todo:
        if fitter is None:
            fitter = method.start(recipe, weights, plan.manifest)
        tested = held_out[:, repeat] == fold
        seed = recipe.seed + 1000 * repeat + fold
        training, tuning = training_and_tuning(
            _trainable(plan, tested),
            labels,
            groups,
            recipe,
            seed=seed,
            split_by=split_by,
        )
        fitter.fit(training=training, tuning=tuning, seed=seed, on_epoch=advance)
        testing = np.flatnonzero(tested)
        scores[testing, repeat] = fitter.predict(testing).reshape(len(testing), -1)
        write_csv(kept, plan.columns, _records(plan, scores, repeat, fold))
    epochs.close()
    write_csv(
        folder / "scores.csv",
        plan.columns,
        [record for repeat, fold, _ in parts for record in _records(plan, scores, repeat, fold)],
    )
    return scores


def _trainable(plan: Folds, tested: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the positions of the images that may train where `tested` are scored."""
    groups = plan.manifest.groups
    related = np.isin(groups, groups[tested]) if plan.by_source else tested
    return np.flatnonzero(~tested & ~related & ~plan.barred)


def _check_trainable(plan: Folds, tested: NDArray[np.bool_]) -> None:
    rest = plan.labels[_trainable(plan, tested)]
    if len(np.unique(rest)) > 1:
        return
    sources = {row.source for row, out in zip(plan.manifest.rows, tested, strict=True) if out}
    raise InputError(
        f"Where {int(tested.sum())} images of {', '.join(sorted(sources))} are held out, "
        f"{len(rest)} are left to train on, all of one class. Expected images of at least two. "
        "Hold out fewer sources, add images, or ask for more folds."
    )


def records_of(kept: Path, rows: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the records of a finished fold, which must be of these paths and labels.

    Raises
    ------
    InputError
        If they are of others, in another order, or damaged: scores would go to wrong images.
    """
    records = read_csv(kept)
    if [(record.get("path"), record.get("label")) for record in records] != list(rows):
        raise InputError(
            f"{kept} is damaged, or holds other images than this fold, or in another order. "
            "Expected the cohort as it was when the fold was made. Give it again, choose another "
            "folder with -o, or delete the file."
        )
    return records


def training_and_tuning(
    rest: NDArray[np.int64],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    recipe: Recipe,
    *,
    seed: int,
    split_by: SplitMode,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of the images that are not tested train, and which tune: about a sixth.

    None tune where the tuning loss decides nothing.
    """
    if recipe.optimisation.schedule != "plateau":
        return rest, rest[:0]
    groups_of_class = [
        len(set(groups[rest][(labels[rest] > 0) == having].tolist())) for having in (False, True)
    ]
    parts = max(2, min(6, *groups_of_class))
    inner = grouped_folds(labels[rest], groups[rest], folds=parts, seed=seed, mode=split_by)
    return rest[inner != 0], rest[inner == 0]


def claim(
    folder: Path,
    protocol: Protocol,
    manifest: Manifest,
    *,
    labels: NDArray[np.int64],
    held_out: NDArray[np.int64],
    resume: bool,
) -> None:
    """Make sure that finished folds in `folder` belong to this protocol, and note it there.

    Parameters
    ----------
    folder : Path
        Of the cross-validation.
    protocol : Protocol
        What is asked for.
    manifest : Manifest
        The usable images.
    labels, held_out : ndarray of int64
        As in `Folds`.
    resume : bool
        Whether folds may be gone on with.

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
        for repeat, fold, path in _parts(folder, held_out):
            if path.exists():
                # As they will be called in the manifest beside them.
                rows = [
                    (portable_path(manifest.file(manifest.rows[index]), folder), str(labels[index]))
                    for index in np.flatnonzero(held_out[:, repeat] == fold)
                ]
                records_of(path, rows)
    write_protocol(folder / PROTOCOL, protocol)
    # As whole as it was followed, so that the command in the report can be run.
    write_text(folder / FOLDS_RECIPE, protocol.recipe.to_toml())


def _parts(folder: Path, held_out: NDArray[np.int64]) -> list[tuple[int, int, Path]]:
    """Return repeat, fold and file of every fold."""
    return [
        (repeat, fold, folder / "folds" / f"repeat-{repeat}-fold-{fold}.csv")
        for repeat in range(held_out.shape[1])
        for fold in range(int(held_out[:, repeat].max()) + 1)
    ]


def _records(
    plan: Folds, scores: NDArray[np.float64], repeat: int, fold: int
) -> list[dict[str, object]]:
    return [
        {
            "path": plan.manifest.rows[index].path,
            "label": int(plan.labels[index]),
            "repeat": repeat,
            "fold": fold,
            **{
                name: f"{scores[index, repeat, position]:.8f}"
                for name, position in plan.score_columns.items()
            },
        }
        for index in np.flatnonzero(plan.held_out[:, repeat] == fold)
    ]
