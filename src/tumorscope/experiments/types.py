"""Which type of tumour: cross-validation and evaluation of the task "tumour-type"."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.context import measured_by, notes_on, picture_reader
from tumorscope.assessment.evaluate_run import joined, readable, refuse_weights, trained_copies
from tumorscope.assessment.seen import refuse_trained_on
from tumorscope.assessment.seen_weights import refuse_seen
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.arrays import labels_for, load_images
from tumorscope.cohort.edits import protect_edits
from tumorscope.cohort.facts import cohort_facts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.tumour_type import missing_in_words
from tumorscope.common.classes import TUMOUR_TYPES, TYPE_CLASSES
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.extras import require
from tumorscope.common.limits import check_folds
from tumorscope.common.locks import one_writer
from tumorscope.common.versions import versions
from tumorscope.experiments.fold_runner import (
    Folds,
    claim,
    network_method,
    repeated_folds,
    score_folds,
)
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.networks.predict import predict
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.commands import crossval_command, run_commands
from tumorscope.records.evaluation_folder import (
    Asked,
    cross_validation_folder,
    default_folder,
    folder_for,
    named,
)
from tumorscope.records.protocol import Cohort, Protocol, SplitMode, data_hash
from tumorscope.records.run_folder import SCORE_COLUMNS, Run
from tumorscope.records.scores import scores_of
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.report import write_report
from tumorscope.statistics.copies import copied_across_folds
from tumorscope.statistics.metrics import Metrics


@dataclass(frozen=True, slots=True)
class TypeEvaluation:
    """What `crossval_types` or `evaluate_types` found.

    Attributes
    ----------
    manifest : Manifest
        The images that were scored, in the order of `scores`.
    scores : ndarray of float64, shape (n, repeats, classes)
        Probabilities, in the order of `tumorscope.common.classes.TYPE_CLASSES`.
    metrics : Metrics
        With intervals.
    folder : Path
        Holds report.html and metrics.json.
    unreadable : tuple of str
        Files that could not be read and were left out.
    passed_over : PassedOver
        What of a folder was not looked at, by reason.
    """

    manifest: Manifest
    scores: NDArray[np.float64]
    metrics: Metrics
    folder: Path
    unreadable: tuple[str, ...] = ()
    passed_over: PassedOver = field(default_factory=PassedOver, compare=False)


@one_writer
def crossval_types(
    data: Data,
    *,
    recipe: str | Path | Recipe = "paper",
    folds: int = 5,
    repeats: int = 1,
    weights: str | Path = "imagenet",
    output: str | Path,
    split_by: SplitMode = "group",
    resume: bool = False,
) -> TypeEvaluation:
    """Cross-validate a recipe that tells tumour types apart.

    Parameters
    ----------
    data : path or Manifest
        A folder with the class folders glioma, meningioma, pituitary and notumor, or a manifest
        with the column ``tumour_type``; its splits are not used.
    recipe : str, Path or Recipe
        Followed with ``task = "tumour-type"``, see `Recipe.for_task`.
    folds, repeats, weights, output, split_by, resume
        As for `tumorscope.experiments.crossval.crossval`.

    Raises
    ------
    InputError, UsageError, OutputError
        If the cohort, the numbers or the folder cannot be used.
    """
    check_folds(folds, repeats)
    require("train", to="cross-validate a recipe")
    recipe = Recipe.of(recipe)
    recipe = recipe.for_task("tumour-type")
    folder = cross_validation_folder(Path(output), data)
    whole = prepare_manifest(data)
    manifest = whole.usable
    labels = labels_for(recipe.task, manifest, complete=True)
    method = network_method(recipe)
    origins = method.weights(recipe, weights)
    for origin in origins:
        refuse_seen(origin, manifest, "the cross-validation")
    held_out = repeated_folds(labels, manifest.groups, recipe, folds, repeats, split_by)
    protocol = Protocol(
        recipe=recipe,
        weights=origins,
        data=Cohort.of(manifest),
        split=split_by,
        method=f"classes {' '.join(map(str, np.bincount(labels)))}",
        folds=folds,
        repeats=repeats,
        versions=versions(),
    )
    if not (folder / "folds").is_dir():
        protect_edits(whole, folder / "manifest.csv", whole=False)
    claim(folder, protocol, manifest, labels=labels, held_out=held_out, resume=resume)
    manifest.save(folder / "manifest.csv")
    manifest = replace(
        Manifest.load(folder / "manifest.csv"), joined=whole.joined, notes=whole.notes
    )
    started = time.time()
    plan = Folds(
        manifest,
        labels,
        held_out,
        barred=np.zeros(len(labels), dtype=bool),
        score_columns={name: index for index, name in enumerate(SCORE_COLUMNS[recipe.task])},
    )
    scores = score_folds(
        plan,
        recipe=recipe,
        weights=weights,
        method=method,
        split_by=split_by,
        folder=folder,
    )
    facts = {
        "protocol": f"{folds} folds × {repeats} repeats",
        "recipe": recipe.name,
        "weights": str(weights),
        "seed": str(recipe.seed),
        "data SHA-256": data_hash(manifest),
        "seconds": f"{time.time() - started:.0f}",
        **{f"{name} version": value for name, value in versions().items()},
    }
    metrics = write_report(
        ReportInputs(
            title=f"Cross-validation of the recipe “{recipe.name}”, tumour types",
            paths=[row.path for row in manifest.rows],
            labels=labels,
            scores=scores,
            classes=TYPE_CLASSES,
            groups=manifest.groups,
            split="grouped" if split_by == "group" else "random",
            pixels=picture_reader(manifest),
            facts=facts,
            cohort=cohort_facts(manifest, splits=False, unreadable=len(whole.unreadable)),
            notes=[
                *_notes(manifest, whole.unreadable),
                *_scarce(manifest, held_out),
                *notes_on(recipe),
            ],
            command=crossval_command(
                named(data),
                recipe,
                protocol=["--folds", folds, "--repeats", repeats],
                weights=weights,
                split=split_by,
                folder=folder,
            ),
            copied=copied_across_folds(manifest.groups, held_out) if split_by == "random" else None,
            data_sha256=data_hash(manifest),
        ),
        folder,
    )
    return TypeEvaluation(
        manifest, scores, metrics, folder, whole.unreadable, whole.notes.passed_over
    )


@one_writer
def evaluate_types(
    run: str | Path | Run,
    data: Data | None = None,
    *,
    output: str | Path | None = None,
    allow_seen: bool = False,
) -> TypeEvaluation:
    """Measure a run of the task "tumour-type" on images that it has not seen.

    Parameters and errors as for `tumorscope.assessment.evaluate_run.evaluate`.
    """
    require("train", to="evaluate a model")
    run = run if isinstance(run, Run) else Run.open(run)
    recipe, record = run.recipe, run.record
    if recipe.task != "tumour-type":
        raise UsageError(
            f'Received the run {run.folder} with task = "tumour". Expected "tumour-type"; '
            "tumorscope.evaluate measures this one."
        )
    warning = None
    unreadable: tuple[str, ...] = ()
    whole = run.manifest if data is None else prepare_manifest(data)
    if data is None:
        run.check_groups()
        manifest = run.manifest.usable.of_split("testing")
        if len(manifest) == 0:
            raise InputError(
                f"The run {run.folder} has no testing images. Expected some, or a cohort to test "
                "on: tumorscope evaluate RUN DATA."
            )
        scores = scores_of(
            run.folder / "scores.csv",
            [row.path for row in manifest.rows],
            SCORE_COLUMNS[recipe.task],
        )
    else:
        manifest, unreadable = whole.usable, whole.unreadable
        if len(manifest) == 0:
            raise InputError(f"{data} has no readable image. Expected labelled brain MRI slices.")
        warning = refuse_trained_on(run, manifest, data=named(data), allow_seen=allow_seen)
    warning = joined(refuse_weights(run, manifest, allow_seen=allow_seen), warning)
    folder = folder_for(
        Path(output) if output else default_folder(run.folder, data, manifest),
        Asked(run.folder, data, manifest),
    )
    if data is not None:  # once nothing is left to refuse
        images = load_images(manifest, recipe.input.preprocessing, recipe.task)
        scores = predict(run.load_model(), images.pixels, recipe)
    kind = "Internal" if data is None else "External"
    random = data is None and record.split == "random"
    command = run_commands(
        run.folder,
        recipe,
        record,
        data=None if data is None else named(data),
        output=folder,
        allow_seen=allow_seen,
    )
    metrics = write_report(
        ReportInputs(
            title=f"{kind} testing of the recipe “{recipe.name}”, tumour types"
            + (" — on images it was trained on" if warning else ""),
            paths=[row.path for row in manifest.rows],
            labels=labels_for(recipe.task, manifest),
            scores=scores,
            classes=TYPE_CLASSES,
            groups=manifest.groups,
            split="random" if random else "grouped",
            external=data is not None,
            pixels=picture_reader(manifest),
            facts=readable(run.facts) | measured_by(),
            cohort=cohort_facts(whole, splits=data is None),
            notes=[
                *_notes(manifest, unreadable),
                *([words] if (words := missing_in_words(run.manifest)) else []),
                *notes_on(recipe),
            ],
            warning=warning,
            command=command,
            subject=str(run.folder),
            copied=trained_copies(run.manifest.usable, manifest) if random else None,
            data_sha256=data_hash(manifest),
        ),
        folder,
    )
    return TypeEvaluation(
        manifest,
        scores[:, None, :],
        metrics,
        folder,
        unreadable,
        # What was left out of training was told then.
        PassedOver() if data is None else whole.notes.passed_over,
    )


def _scarce(manifest: Manifest, held_out: NDArray[np.int64]) -> list[str]:
    """Return which types some folds were not taught, because all of their groups lay in one."""
    notes = []
    for kind in TUMOUR_TYPES:
        shows = np.array([row.tumour_type == kind for row in manifest.rows])
        if shows.any() and len(np.unique(held_out[shows, 0])) == 1:
            notes.append(
                f"All {int(shows.sum())} images of {kind} lie in one fold, so they were scored by "
                "networks that were never taught this type: its figures say nothing of one that "
                "is. Add patients with it."
            )
    return notes


def _notes(manifest: Manifest, unreadable: Sequence[str]) -> list[str]:
    notes = []
    if unreadable:
        notes.append(f"{len(unreadable)} files could not be read and are left out.")
    found = sum("type-conflict" in row.flags for row in manifest.rows)
    if found:
        notes.append(
            f"{found} images are copies of one picture that is filed under several tumour types: "
            "at least one label of each such picture is wrong. The audit lists them."
        )
    return notes
