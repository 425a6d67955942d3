"""Grouped, stratified, repeated cross-validation, by group or by source.

Every image is scored by models that never saw it, nor a copy of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest, Row
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import output_folder, write_text
from tumorscope.common.progress import track
from tumorscope.evaluation.metrics import Metrics
from tumorscope.evaluation.report import ReportInputs, write_report
from tumorscope.training.assess import cohort_facts, notes_on, picture_reader, published_for
from tumorscope.training.checkpoint import Record
from tumorscope.training.data import load_images
from tumorscope.training.fit import Fitter, epochs_of
from tumorscope.training.packaged_weights import refuse_seen
from tumorscope.training.recipe import Recipe
from tumorscope.training.run import (
    Data,
    SplitMode,
    data_hash,
    prepare_manifest,
    read_csv,
    start,
    versions,
    write_csv,
)

COLUMNS = ("path", "label", "repeat", "fold", "score")


class FoldFitter(Protocol):
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
        """Return the probability of tumour, float64 (n,), of images of the cohort."""


@dataclass(frozen=True, slots=True)
class Method:
    """What is cross-validated, where it is not the network of the recipe alone.

    Attributes
    ----------
    name : str
        Part of the protocol: folds of another method are refused.
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
    title: str
    command: str
    start: Callable[[Recipe, str | Path, Manifest], FoldFitter]
    epochs: int


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Scores of images by models that did not see them.

    Attributes
    ----------
    manifest : Manifest
        The usable images, in the order of the arrays.
    scores : ndarray of float64, shape (n, repeats)
        Probability of tumour.
    folds : ndarray of int64, shape (n, repeats)
        In which fold each image was held out.
    metrics : Metrics
        Of all folds together.
    folder : Path
        Holds scores.csv, metrics.json and report.html.
    """

    manifest: Manifest
    scores: NDArray[np.float64]
    folds: NDArray[np.int64]
    metrics: Metrics
    folder: Path


def crossval(
    data: Data,
    *,
    recipe: str | Path | Recipe = "paper",
    folds: int = 5,
    repeats: int = 3,
    weights: str | Path = "imagenet",
    output: str | Path,
    split_by: SplitMode = "group",
    hold_out: Sequence[Sequence[str]] = (),
    method: Method | None = None,
    resume: bool = False,
) -> CrossValidation:
    """Cross-validate a recipe.

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
        As for `tumorscope.training.run.train`.
    folds, repeats : int
        At least 2 and at least 1.
    output : path
        Each finished fold is kept there at once.
    split_by : {"group", "random"}
        "random" parts copies of one picture; its results are too good, and the report says so.
    hold_out : sequence of sequences of str
        Sources to leave out, one fold per inner sequence, instead of `folds` and `repeats`;
        ``[["each"]]`` leaves out every source in turn. Images of sources that are not named are
        not scored.
    method : Method, optional
        By default the network that the recipe describes, trained as it says.
    resume : bool
        Keep the folds that are finished.

    Raises
    ------
    InputError, UsageError, OutputError
        If the cohort, the numbers or the folder cannot be used.
    """
    if not hold_out and (folds < 2 or repeats < 1):
        raise UsageError(
            f"Received {folds} folds and {repeats} repeats; expected at least 2 folds and 1 repeat."
        )
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    method = method or _network(recipe)
    folder = output_folder(Path(output))
    manifest = prepare_manifest(data).usable
    labels, groups = manifest.labels, manifest.groups
    splits = np.array([row.split for row in manifest.rows])
    if [*map(list, hold_out)] == [["each"]]:
        hold_out = [[source] for source in sorted({row.source for row in manifest.rows})]
    if hold_out:
        folds, repeats = len(hold_out), 1
        held_out = _sources_out(manifest, hold_out)
    else:
        held_out = np.stack(
            [
                grouped_folds(labels, groups, folds=folds, seed=recipe.seed + repeat, mode=split_by)
                for repeat in range(repeats)
            ],
            axis=1,
        )
    refuse_seen(weights, manifest.having(_scored_rows(manifest, held_out)), "the cross-validation")
    identity = _identity(recipe, manifest, str(weights), folds, repeats, split_by, hold_out)
    identity += f"method = {method.name}\n" if method.name else ""
    _claim(folder, identity, resume=resume)
    # Read back, so that the paths in scores.csv are those in the manifest beside it.
    manifest.save(folder / "manifest.csv")
    manifest = Manifest.load(folder / "manifest.csv")

    scores = np.full(held_out.shape, np.nan)
    started = time.time()
    todo = []
    for repeat in range(repeats):
        for fold in range(folds):
            kept = folder / "folds" / f"repeat-{repeat}-fold-{fold}.csv"
            if kept.exists():
                testing = np.flatnonzero(held_out[:, repeat] == fold)
                scores[testing, repeat] = [float(record["score"]) for record in read_csv(kept)]
            else:
                todo.append((repeat, fold, kept))
    fitter: FoldFitter | None = None
    epochs = track(range(len(todo) * method.epochs + 1), "Cross-validating")

    def advance(_: Record | None = None) -> None:
        next(epochs)

    advance()
    for repeat, fold, kept in todo:
        if fitter is None:
            fitter = method.start(recipe, weights, manifest)
        tested = held_out[:, repeat] == fold
        seed = recipe.seed + 1000 * repeat + fold
        rest = np.flatnonzero(~tested)
        if hold_out:
            barred = np.isin(groups, groups[tested]) | (splits == "testing")
            rest = np.flatnonzero(~tested & ~barred)
        training, tuning = training_and_tuning(
            rest, labels, groups, recipe, seed=seed, split_by=split_by
        )
        fitter.fit(training=training, tuning=tuning, seed=seed, on_epoch=advance)
        testing = np.flatnonzero(tested)
        scores[testing, repeat] = fitter.predict(testing)
        write_csv(kept, COLUMNS, _records(manifest, scores, repeat, fold, testing))
    epochs.close()

    write_csv(
        folder / "scores.csv",
        COLUMNS,
        [
            record
            for repeat in range(repeats)
            for fold in range(folds)
            for record in _records(
                manifest, scores, repeat, fold, np.flatnonzero(held_out[:, repeat] == fold)
            )
        ],
    )
    scored = held_out[:, 0] >= 0
    manifest = manifest.having(_scored_rows(manifest, held_out))
    manifest.save(folder / "manifest.csv")
    labels, groups = labels[scored], groups[scored]
    scores, held_out = scores[scored], held_out[scored]
    left_out = "; ".join(", ".join(names) for names in hold_out)
    metrics = write_report(
        ReportInputs(
            title=f"Cross-validation of {method.title}"
            + (" with sources left out" if hold_out else ""),
            paths=[row.path for row in manifest.rows],
            labels=labels,
            scores=scores,
            groups=groups,
            sources=np.array([row.source for row in manifest.rows]),
            split="grouped" if split_by == "group" else "random",
            folds=held_out,
            pixels=picture_reader(manifest),
            recipe=recipe.model_dump(),
            facts={
                "protocol": f"sources left out in turn: {left_out}"
                if hold_out
                else f"{folds} folds × {repeats} repeats",
                "weights": str(weights),
                "seed": str(recipe.seed),
                "data SHA-256": data_hash(manifest),
                "seconds": f"{time.time() - started:.0f}",
                **{f"{name} version": value for name, value in versions().items()},
            },
            cohort=cohort_facts(manifest),
            notes=notes_on(recipe),
            published=published_for(recipe),
            command=method.command
            or f"tumorscope crossval DATA --recipe {recipe.name} "
            + (
                " ".join(f"--hold-out {','.join(names)}" for names in hold_out)
                if hold_out
                else f"--folds {folds} --repeats {repeats}"
            )
            + (" --split random" if split_by == "random" else ""),
        ),
        folder,
    )
    return CrossValidation(manifest, scores, held_out, metrics, folder)


def _network(recipe: Recipe) -> Method:
    return Method(
        name="",
        title=f"the recipe “{recipe.name}”",
        command="",
        start=network_fitter,
        epochs=epochs_of(recipe),
    )


def network_fitter(recipe: Recipe, weights: str | Path, manifest: Manifest) -> FoldFitter:
    """Return what trains the network of a recipe on folds of a cohort."""
    model, _ = start(recipe, weights)
    return Fitter(model, load_images(manifest, recipe.input.preprocessing), recipe)


def _scored_rows(manifest: Manifest, held_out: NDArray[np.int64]) -> list[Row]:
    return [row for row, fold in zip(manifest.rows, held_out[:, 0], strict=True) if fold >= 0]


def _sources_out(manifest: Manifest, hold_out: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Return which fold leaves each image out, int64 (n, 1); −1 for none."""
    sources = np.array([row.source for row in manifest.rows])
    named = [name for names in hold_out for name in names]
    there = sorted(set(sources.tolist()))
    unknown = sorted(set(named) - set(there))
    if unknown or len(set(named)) < len(named):
        wrong = f"{', '.join(unknown)} not in the cohort" if unknown else "a source twice"
        raise UsageError(
            f"Received sources to hold out: {', '.join(named)}; {wrong}. Expected each at most "
            f"once, of {', '.join(there)}. The column source of the manifest names them."
        )
    held_out = np.full((len(manifest), 1), -1, dtype=np.int64)
    for fold, names in enumerate(hold_out):
        held_out[np.isin(sources, list(names)), 0] = fold
    return held_out


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
    groups_of_class = [len(set(groups[rest][labels[rest] == label].tolist())) for label in (0, 1)]
    parts = max(2, min(6, *groups_of_class))
    inner = grouped_folds(labels[rest], groups[rest], folds=parts, seed=seed, mode=split_by)
    return rest[inner != 0], rest[inner == 0]


def _claim(folder: Path, identity: str, *, resume: bool) -> None:
    """Make sure that finished folds in `folder` belong to this protocol."""
    mark = folder / "folds" / "protocol.txt"
    if mark.exists():
        if not resume:
            raise UsageError(
                f"{folder} holds folds of a cross-validation. Add --resume to keep what is "
                "finished, choose another folder with -o, or delete it."
            )
        if mark.read_text("utf-8") != identity:
            raise InputError(
                f"The folds in {folder} belong to another recipe, cohort or protocol. Expected the "
                "same as when they were made. Give them again, or choose another folder with -o."
            )
    write_text(mark, identity)


def _identity(
    recipe: Recipe,
    manifest: Manifest,
    weights: str,
    folds: int,
    repeats: int,
    split_by: str,
    hold_out: Sequence[Sequence[str]],
) -> str:
    protocol = f"weights = {weights}\nfolds = {folds}\nrepeats = {repeats}\nsplit = {split_by}\n"
    protocol += "".join(f"hold out = {','.join(names)}\n" for names in hold_out)
    return f"{recipe.to_toml()}\n{protocol}data = {data_hash(manifest)}\n"


def _records(
    manifest: Manifest,
    scores: NDArray[np.float64],
    repeat: int,
    fold: int,
    testing: NDArray[np.int64],
) -> list[dict[str, object]]:
    return [
        {
            "path": manifest.rows[index].path,
            "label": manifest.rows[index].label,
            "repeat": repeat,
            "fold": fold,
            "score": f"{scores[index, repeat]:.8f}",
        }
        for index in testing
    ]
