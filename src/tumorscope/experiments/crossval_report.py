"""The report on a cross-validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.report_inputs import (
    notes_on,
    notes_on_types,
    picture_reader,
    published_for,
)
from tumorscope.cohort.facts import cohort_facts
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.classes import CLASSES, TUMOUR_TYPES, TYPE_CLASSES
from tumorscope.common.names import without_folders
from tumorscope.common.versions import versions
from tumorscope.common.words import counted
from tumorscope.experiments.crossval_scores import ScoredCohort
from tumorscope.experiments.sources import sources_text
from tumorscope.records.commands import crossval_command
from tumorscope.records.protocol import Protocol, data_hash
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.report import write_report
from tumorscope.statistics.copies import copied_across_folds
from tumorscope.statistics.metrics import Metrics


def write_crossval_report(found: ScoredCohort) -> Metrics:
    """Write the report on a cross-validation into its folder, and return what it measured."""
    manifest, protocol, recipe = found.manifest, found.protocol, found.protocol.recipe
    return write_report(
        ReportInputs(
            title=_title(found),
            paths=without_folders(row.path for row in manifest.rows),
            classes=CLASSES if recipe.task == "tumour" else TYPE_CLASSES,
            labels=found.labels,
            scores=found.scores if recipe.task == "tumour-type" else found.scores[:, :, 0],
            groups=manifest.groups,
            sources=np.array([row.source for row in manifest.rows]),
            split="random" if protocol.split == "random" else "grouped",
            folds=found.held_out,
            protocol=_protocol_short(protocol),
            copied=_copied(found),
            pixels=picture_reader(manifest),
            recipe=recipe.model_dump(),
            facts=_facts(found),
            cohort=cohort_facts(manifest, splits=False, unreadable=len(found.whole.unreadable)),
            notes=_notes(found),
            published=published_for(recipe),
            command=found.learner.command or _command(found),
            data_sha256=data_hash(manifest),
        ),
        found.folder,
    )


def _notes(found: ScoredCohort) -> list[str]:
    notes = notes_on(found.protocol.recipe)
    if found.protocol.recipe.task == "tumour":
        return notes
    of_types = notes_on_types(found.manifest, found.whole.unreadable)
    return [*of_types, *_scarce(found.manifest, found.held_out), *notes]


def _title(found: ScoredCohort) -> str:
    title = f"Cross-validation of {found.learner.title}"
    if found.protocol.hold_out:
        title += " with sources left out"
    return title if found.protocol.recipe.task == "tumour" else f"{title}, tumour types"


def _copied(found: ScoredCohort) -> NDArray[np.bool_] | None:
    if found.protocol.split != "random":
        return None
    return copied_across_folds(found.manifest.groups, found.held_out)


def _protocol_short(protocol: Protocol) -> str:
    if protocol.hold_out:
        return f"{protocol.folds} folds, sources left out"
    return f"{protocol.folds} folds × {counted(protocol.repeats, 'repeat')}"


def _facts(found: ScoredCohort) -> dict[str, str]:
    protocol = found.protocol
    left_out = "; ".join(sources_text(names) for names in protocol.hold_out)
    return {
        "recipe": protocol.recipe.name,
        "protocol": f"sources left out in turn: {left_out}"
        if left_out
        else f"{protocol.folds} folds × {protocol.repeats} repeats",
        "weights": found.weights,
        "seed": str(protocol.recipe.seed),
        "data SHA-256": data_hash(found.manifest),
        "seconds": f"{found.seconds:.0f}",
        **{f"{name} version": value for name, value in versions().items()},
    }


def _command(found: ScoredCohort) -> str:
    protocol = found.protocol
    folds = ["--folds", protocol.folds, "--repeats", protocol.repeats]
    sources = [word for names in protocol.hold_out for word in ("--hold-out", sources_text(names))]
    return crossval_command(
        found.data,
        protocol.recipe,
        protocol=sources or folds,
        weights=found.weights,
        split=protocol.split,
        folder=found.folder,
    )


def _scarce(manifest: Manifest, held_out: NDArray[np.int64]) -> list[str]:
    """Return which types some folds were not taught, because all of their groups lay in one."""
    notes = []
    for kind in TUMOUR_TYPES:
        shows = np.array([row.tumour_type == kind for row in manifest.rows])
        if shows.any() and len(np.unique(held_out[shows, 0])) == 1:
            notes.append(
                f"All {int(shows.sum())} images of {kind} lie in one fold, so they were scored by "
                "networks that were never taught this type: its results say nothing of one that "
                "is. Add patients with it."
            )
    return notes
