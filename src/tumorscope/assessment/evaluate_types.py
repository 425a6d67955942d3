"""Which type of tumour: evaluation of a run of the task "tumour-type"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.context import measured_by, notes_on, picture_reader
from tumorscope.assessment.evaluate_run import joined, readable, refuse_weights, trained_copies
from tumorscope.assessment.seen import refuse_trained_on
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.arrays import labels_for, load_images
from tumorscope.cohort.facts import cohort_facts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.tumour_type import missing_in_words
from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.extras import require
from tumorscope.common.locks import one_writer
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.networks.predict import predict
from tumorscope.records.commands import run_commands
from tumorscope.records.evaluation_folder import (
    Asked,
    default_folder,
    folder_for,
    named,
)
from tumorscope.records.protocol import data_hash
from tumorscope.records.run_folder import SCORE_COLUMNS, Run
from tumorscope.records.scores import scores_of
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.report import write_report
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
                *notes_on_types(manifest, unreadable),
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


def notes_on_types(manifest: Manifest, unreadable: Sequence[str]) -> list[str]:
    """Return what a reader should know of files and types before trusting the results."""
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
