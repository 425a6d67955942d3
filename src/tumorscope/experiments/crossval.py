"""Grouped, stratified, repeated cross-validation, by group or by source.

Every image is scored by models that never saw it, nor a copy of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.context import notes_on, picture_reader
from tumorscope.assessment.evaluate_run import published_for
from tumorscope.assessment.seen_weights import refuse_seen
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.edits import protect_edits
from tumorscope.cohort.facts import cohort_facts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.errors import UsageError
from tumorscope.common.extras import require
from tumorscope.common.limits import check_folds
from tumorscope.common.locks import one_writer
from tumorscope.common.versions import versions
from tumorscope.experiments.fold_runner import (
    Folds,
    Method,
    claim,
    network_method,
    repeated_folds,
    score_folds,
)
from tumorscope.experiments.sources import EACH, refusal, sources_named, sources_text
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.commands import crossval_command
from tumorscope.records.evaluation_folder import cross_validation_folder, named
from tumorscope.records.protocol import Cohort, Protocol, SplitMode, data_hash
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.report import write_report
from tumorscope.statistics.copies import copied_across_folds
from tumorscope.statistics.metrics import Metrics


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
        As for `tumorscope.training.train.train`.
    folds, repeats : int
        At least 2 and at least 1.
    output : path
        Each finished fold is kept there at once.
    split_by : {"group", "random"}
        "random" parts copies of one picture; its results are too good, and the report says so.
    hold_out : sequence of sequences of str
        Sources to leave out, one fold per inner sequence, instead of `folds` and `repeats`;
        ``[["each"]]`` leaves out every source in turn. A string in the place of a sequence is read
        as the command line does, see `tumorscope.experiments.sources.sources_named`. Images of
        sources that are not named are not scored.
    method : Method, optional
        By default the network that the recipe describes, trained as it says.
    resume : bool
        Keep the folds that are finished.

    Raises
    ------
    InputError, UsageError, OutputError
        If the cohort, the numbers or the folder cannot be used.
    """
    if not hold_out:
        check_folds(folds, repeats)
    require("train", to="cross-validate a recipe")
    recipe = Recipe.of(recipe)
    if recipe.task != "tumour":
        raise UsageError(
            f'Received a recipe with task = {recipe.task!r}. Expected "tumour"; '
            "tumorscope.crossval_types cross-validates tumour types."
        )
    method = method or network_method(recipe)
    folder = cross_validation_folder(Path(output), data)
    whole = prepare_manifest(data)
    if hold_out and split_by == "group":
        whole.check_groups()  # images of the split "testing" never train, and nor do their copies
    manifest = whole.usable
    labels, groups = manifest.labels, manifest.groups
    splits = np.array([row.split for row in manifest.rows])
    hold_out = _sources_of(hold_out, manifest)
    if hold_out:
        folds, repeats = len(hold_out), 1
        held_out = _sources_out(manifest, hold_out)
    else:
        held_out = repeated_folds(labels, groups, recipe, folds, repeats, split_by)
    origins = method.weights(recipe, weights)
    for origin in origins:
        refuse_seen(
            origin, manifest.having(_scored_rows(manifest, held_out)), "the cross-validation"
        )
    protocol = Protocol(
        recipe=recipe,
        weights=origins,
        data=Cohort.of(manifest),
        split=split_by,
        method=method.name,
        folds=folds,
        repeats=repeats,
        hold_out=tuple(tuple(sorted(names)) for names in hold_out),
        versions=versions(),
    )
    if not (folder / "folds").is_dir():
        protect_edits(whole, folder / "manifest.csv", whole=False)
    claim(folder, protocol, manifest, labels=labels, held_out=held_out, resume=resume)
    # Read back, so that the paths in scores.csv are those in the manifest beside it.
    manifest.save(folder / "manifest.csv")
    manifest = replace(
        Manifest.load(folder / "manifest.csv"), joined=whole.joined, notes=whole.notes
    )
    started = time.time()
    plan = Folds(
        manifest,
        labels,
        held_out,
        barred=(splits == "testing") if hold_out else np.zeros(len(labels), dtype=bool),
        by_source=bool(hold_out),
    )
    scores = score_folds(
        plan, recipe=recipe, weights=weights, method=method, split_by=split_by, folder=folder
    )[:, :, 0]
    scored = held_out[:, 0] >= 0
    manifest = manifest.having(_scored_rows(manifest, held_out))
    manifest.save(folder / "manifest.csv")
    labels, groups = labels[scored], groups[scored]
    scores, held_out = scores[scored], held_out[scored]
    left_out = "; ".join(sources_text(names) for names in hold_out)
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
            protocol=f"{folds} folds, sources left out"
            if hold_out
            else f"{folds} folds × {repeats} {'repeat' if repeats == 1 else 'repeats'}",
            copied=copied_across_folds(groups, held_out) if split_by == "random" else None,
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
            cohort=cohort_facts(manifest, splits=False, unreadable=len(whole.unreadable)),
            notes=notes_on(recipe),
            published=published_for(recipe),
            command=method.command
            or crossval_command(
                named(data),
                recipe,
                protocol=[
                    word for names in hold_out for word in ("--hold-out", sources_text(names))
                ]
                or ["--folds", folds, "--repeats", repeats],
                weights=weights,
                split=split_by,
                folder=folder,
            ),
            data_sha256=data_hash(manifest),
        ),
        folder,
    )
    return CrossValidation(
        manifest,
        scores,
        held_out,
        metrics,
        folder,
        whole.unreadable,
        whole.notes.passed_over,
    )


def _scored_rows(manifest: Manifest, held_out: NDArray[np.int64]) -> list[Row]:
    return [row for row, fold in zip(manifest.rows, held_out[:, 0], strict=True) if fold >= 0]


def _sources_of(hold_out: Sequence[str | Sequence[str]], manifest: Manifest) -> list[list[str]]:
    """Return the sources that each fold leaves out."""
    known = sorted({row.source for row in manifest.rows})
    named = [
        sources_named(part, known) if isinstance(part, str) else list(part) for part in hold_out
    ]
    return [[source] for source in known] if named == [[EACH]] else named


def _sources_out(manifest: Manifest, hold_out: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Return which fold leaves each image out, int64 (n, 1); −1 for none."""
    sources = np.array([row.source for row in manifest.rows])
    refused = refusal([name for names in hold_out for name in names], set(sources.tolist()))
    if refused is not None:
        raise refused
    held_out = np.full((len(manifest), 1), -1, dtype=np.int64)
    for fold, names in enumerate(hold_out):
        held_out[np.isin(sources, list(names)), 0] = fold
    return held_out
