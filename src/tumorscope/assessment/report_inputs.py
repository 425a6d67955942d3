"""What the report of an evaluation is made from: the images, the scores, the run or model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.measured import Measured
from tumorscope.assessment.subject import Scored, Subject
from tumorscope.cohort.arrays import labels_for
from tumorscope.cohort.facts import WITHOUT_SPLIT, cohort_facts, split_counts
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.sentences import on_joins, on_missing_types
from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.errors import InputError
from tumorscope.common.names import without_folders
from tumorscope.common.versions import versions
from tumorscope.imaging import read_slice
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.schema import Metadata
from tumorscope.networks.backbones import lookup
from tumorscope.networks.imagenet import IMAGENET
from tumorscope.recipes.recipe import CORRECTS_TWICE, Recipe
from tumorscope.records.evaluation_folder import named
from tumorscope.records.protocol import data_hash
from tumorscope.records.run_folder import RunContents
from tumorscope.records.run_record import RunRecord
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.published import THE_PAPER, Published

NOT_TOLD = ("layers", "notice", "passed_over", "protocol")
"""Parts of run.json that a report shows elsewhere, or not at all."""


def report_inputs(
    subject: Subject, images: Scored, measured: Measured, *, warning: str | None, command: str
) -> ReportInputs:
    """Return what the report of an evaluation is made from.

    Parameters
    ----------
    subject, images, measured
        What was measured, on what, and the scores.
    warning : str or None
        What makes the results misleading.
    command : str
        Makes the report again.
    """
    manifest, said = images.manifest, measured.said
    common = ReportInputs(
        title=f"{'External' if images.external else 'Internal'} testing of ",
        paths=without_folders(row.path for row in manifest.rows),
        labels=manifest.labels,
        scores=measured.scores,
        threshold=measured.threshold,
        groups=manifest.groups,
        external=images.external,
        answers=said.answers if said else None,
        pointing=said.pointing if said else None,
        pixels=picture_reader(manifest),
        cohort=cohort_facts(images.whole, splits=not images.external),
        notes=[*images.edits, *([measured.note] if measured.note else [])],
        warning=warning,
        command=command,
        subject=subject.name,
        data="" if images.data is None else named(images.data),
        data_sha256=data_hash(manifest),
    )
    if subject.run is None:
        assert subject.model is not None
        return _of_model(common, images, subject.model)
    common = _of_run(common, images, subject.run)
    of_types = subject.run.recipe.task == "tumour-type"
    return (_of_types if of_types else _of_detector)(common, images, subject.run)


def _of_model(common: ReportInputs, images: Scored, model: ModelFile) -> ReportInputs:
    metadata = model.metadata
    counts, answers = metadata.data.get("images"), common.answers
    sizes = {name: int(str(n)) for name, n in counts.items()} if isinstance(counts, dict) else {}
    return replace(
        common,
        title=f"{common.title}the model {metadata.id} on {_sources(images)}"
        + (" — with images it was trained on" if common.warning else ""),
        sources=_source_of_each(images),
        made_by="random" if metadata.data.get("split") == "random" else "grouped",
        split_sizes=sizes,
        recipe=metadata.recipe,
        facts={
            "model": metadata.id,
            "made": metadata.created,
            "precision": metadata.precision,
            "operating point": "" if answers is None else answers.operating_point,
            "trained on (hash of the data)": str(metadata.data.get("sha256", "")),
            **{f"made with: {name}": version for name, version in metadata.versions.items()},
            **_measured_by(),
        },
        notes=_on_recipe(metadata),
    )


def _of_run(common: ReportInputs, images: Scored, run: RunContents) -> ReportInputs:
    random = not images.external and run.record.split == "random"
    return replace(
        common,
        title=f"{common.title}the recipe “{run.recipe.name}”",
        split="random" if random else "grouped",
        copied=_trained_copies(run.manifest.usable, images.manifest) if random else None,
        facts=readable(run.record.to_json()) | _measured_by(),
        notes=[*common.notes, *notes_on(run.recipe)],
    )


def _of_detector(common: ReportInputs, images: Scored, run: RunContents) -> ReportInputs:
    """Add what a report says only of a run of the task "tumour"."""
    title = common.title + (f" on {_sources(images)}" if images.external else "")
    return replace(
        common,
        title=title + (" — on images it was trained on" if common.warning else ""),
        sources=_source_of_each(images),
        made_by="random" if run.record.split == "random" else "grouped",
        split_sizes=split_counts(run.manifest.usable.rows),
        history=run.on_disk.history,
        model_summary=_layers(run.record),
        recipe=run.recipe.model_dump(),
        published=None if images.external else published_for(run.recipe),
    )


def _of_types(common: ReportInputs, images: Scored, run: RunContents) -> ReportInputs:
    """Add what a report says only of a run of the task "tumour-type"."""
    lacking = on_missing_types(run.manifest)
    return replace(
        common,
        title=f"{common.title}, tumour types"
        + (" — on images it was trained on" if common.warning else ""),
        labels=labels_for(run.recipe.task, images.manifest),
        classes=TYPE_CLASSES,
        notes=[
            *notes_on_types(images.manifest, images.unreadable),
            *([lacking] if lacking else []),
            *common.notes,
        ],
    )


def notes_on(recipe: Recipe) -> list[str]:
    """Return what a reader should know of a recipe before trusting its results."""
    notes = []
    if recipe.network.backbone == "mobilenet_v2" and recipe.input.scaling == "unit":
        notes.append(
            "The network receives grey values divided by 255, as in the paper, although its "
            "ImageNet weights were trained on values from −1 to 1 (x/127.5 − 1)."
        )
    elif (
        recipe.network.backbone in IMAGENET
        and (known := lookup(recipe.network.backbone)).scaling != recipe.input.scaling
    ):
        notes.append(
            f"The network receives its input scaled as “{recipe.input.scaling}”, although ImageNet "
            f"weights of {known.title} expect “{known.scaling}”."
        )
    if recipe.corrects_twice:
        notes.append(CORRECTS_TWICE)
    if recipe.input.fit == "stretch" and recipe.input.crop == "none":
        notes.append(
            "Images are stretched to a square without cropping, as in the paper: border, aspect "
            "ratio and brightness stay visible to the network and may tell it the source instead "
            "of the tumour. The audit's shortcut chart shows how much they tell."
        )
    return notes


def notes_on_types(manifest: Manifest, unreadable: tuple[str, ...]) -> list[str]:
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


def readable(facts: Mapping[str, object]) -> dict[str, str]:
    """Return the facts of a run as a flat table for people."""
    flat: dict[str, str] = {}
    for key, value in facts.items():
        if key in NOT_TOLD:
            continue
        if isinstance(value, dict):
            # Runs of former versions have images of the split "".
            flat |= {f"{key}: {name or WITHOUT_SPLIT}": str(item) for name, item in value.items()}
        elif key == "groups_joined" and isinstance(value, list):
            flat["groups joined"] = on_joins([tuple(names) for names in value]) or "none"
        else:
            flat[key] = str(value)
    return flat


def picture_reader(manifest: Manifest) -> Callable[[int], NDArray[np.uint8]]:
    """Return a function from a row's position to its grey pixels, uint8 (height, width)."""
    return lambda index: read_slice(manifest.file(manifest.rows[index])).pixels


def published_for(recipe: Recipe) -> Published | None:
    """Return what the paper claims, where the recipe is the paper's, whatever its name."""
    return THE_PAPER if recipe.follows(Recipe.load("paper")) else None


def _measured_by() -> dict[str, str]:
    """Return the versions that measure now, beside those that a model was made with."""
    return {f"measured with: {name}": version for name, version in versions().items()}


def _on_recipe(metadata: Metadata) -> list[str]:
    """Return the notes on a model's recipe, which another version of tumorscope may have written.

    Nothing is measured by it: a detector is whole without.
    """
    try:
        return notes_on(Recipe.parse(dict(metadata.recipe)))
    except InputError as error:
        return [f"The recipe is of another version, so nothing is said of it. {error}"]


def _trained_copies(whole: Manifest, testing: Manifest) -> NDArray[np.bool_]:
    """Return which testing images have their file, or one of their group, on the other side."""
    known = whole.of_split("training", "tuning").rows
    groups, files = {row.group for row in known}, {row.sha256 for row in known}
    return np.array(
        [row.group in groups or row.sha256 in files for row in testing.rows], dtype=bool
    )


def _source_of_each(images: Scored) -> NDArray[np.str_]:
    return np.array([row.source for row in images.manifest.rows])


def _sources(images: Scored) -> str:
    return ", ".join(sorted({row.source for row in images.manifest.rows}))


def _layers(record: RunRecord) -> list[tuple[str, str, str, int]]:
    layers = []
    for each in record.layers:
        name, _, kind = each.layer.partition(" (")
        layers.append((name, kind.removesuffix(")"), each.output_shape, each.parameters))
    return layers
