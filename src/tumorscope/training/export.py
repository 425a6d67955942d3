"""A finished run → one model file, compared with Keras on real images before anyone sees it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from tumorscope.assessment.lesion_masks import point_at_outlines
from tumorscope.assessment.thumbprints import prints_of
from tumorscope.cohort.facts import WITHOUT_SPLIT
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.cores import cores
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.files import atomic_path
from tumorscope.common.locks import writing
from tumorscope.common.progress import say, track
from tumorscope.common.words import some_of
from tumorscope.duplicates.enrolment import remembered
from tumorscope.duplicates.marks import NOTHING, Marks
from tumorscope.duplicates.same_pixels import digest_of
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.onnx_file import ModelFile, write_model
from tumorscope.model_file.schema import (
    Calibration,
    Conformal,
    Metadata,
    OperatingPoint,
    PreprocessingSpec,
    Prints,
    TrainingThumbprints,
)
from tumorscope.networks.body import taps_of
from tumorscope.networks.model_graph import model_graph
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.edited import Part, edited_since
from tumorscope.records.run_folder import Run
from tumorscope.records.run_record import RunRecord
from tumorscope.statistics.decisions import MISCOVERAGE, MeasuredRules, fit_and_measure
from tumorscope.statistics.operating_points import POLICIES
from tumorscope.training.card import SOURCES_OF, model_card
from tumorscope.training.compare_with_keras import compare_with_keras
from tumorscope.training.held_out import HeldOut, crossval_scores, tuning_scores
from tumorscope.training.input_check import fit_input_check

if TYPE_CHECKING:
    import keras

PARTS: tuple[Part, ...] = ("tuning", "testing")


def export_run(
    run: str | Path | Run,
    path: str | Path,
    *,
    crossval: str | Path | None = None,
    outlines: str | Path | None = None,
    miscoverage: float = MISCOVERAGE,
) -> ModelFile:
    """Write the model file of a run.

    Calibration, operating points and prediction sets come from out-of-fold scores where
    `crossval` gives them, else from the scores of the run's tuning images, which are few.

    Parameters
    ----------
    run : path or Run
        A finished run.
    path : path
        Where the file goes; must end in ``.onnx``.
    crossval : path, optional
        Folder of a cross-validation of the same recipe on the same images.
    outlines : path, optional
        Folder of images with outlined lesions, from which the card says where evidence lies; see
        `tumorscope.assessment.lesion_masks.read_outlined`.
    miscoverage : float
        Of the conformal prediction sets.

    Returns
    -------
    ModelFile
        As written.

    Raises
    ------
    InputError
        If the run or the cross-validation cannot be used, or images are gone.
    HonestyError
        If splits or folds separate copies of one picture, images that the network was trained on
        were moved to another split since, or the model file's probabilities differ
        from Keras' by more than 1e-4; nothing is left behind then.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise InputError(f"Cannot write the model to {path}. Expected a name that ends in .onnx.")
    run.check_groups()
    _check_splits(run)
    with writing(path):
        return write_checked(
            run.load_model(),
            run.folder,
            run.record,
            path,
            crossval=crossval,
            outlines=outlines,
            miscoverage=miscoverage,
        )


def write_checked(
    model: keras.Model,
    folder: Path,
    record: RunRecord,
    path: Path,
    *,
    crossval: str | Path | None = None,
    outlines: str | Path | None = None,
    miscoverage: float = MISCOVERAGE,
) -> ModelFile:
    """Write and compare the model file of a run whose Keras model is at hand; see `export_run`.

    Parameters
    ----------
    folder : Path
        Of the run; recipe.toml, manifest.csv and scores.csv are read from it.
    record : RunRecord
        What is, or will be, in its run.json.
    """
    recipe = _recipe_of(folder)
    manifest = Manifest.load(folder / "manifest.csv").usable
    manifest.check_files()
    inherited = _inherited(folder, record)
    # Before the images are read: a cross-validation of something else is refused at once.
    held_out = (
        tuning_scores(folder, manifest)
        if crossval is None
        else crossval_scores(Path(crossval), folder, manifest, record)
    )
    pixels, marks = _load(manifest, recipe)
    decisions = _decide(held_out, miscoverage)
    known = np.array([row.split in ("training", "tuning") for row in manifest.rows])
    space, check = fit_input_check(model, recipe, manifest, pixels, known)
    calibration = _calibration(decisions, held_out)
    graph = model_graph(
        model, recipe, slope=calibration.slope, intercept=calibration.intercept, space=space
    ).SerializeToString()
    metadata = _metadata(model, recipe, record, manifest).model_copy(
        update={
            "calibration": calibration,
            "operating_points": _operating_points(decisions),
            "conformal": _conformal(decisions, held_out, miscoverage),
            "input_check": check,
            "seen": _seen(
                recipe, [marks[index] for index in np.flatnonzero(known)], pixels[known]
            ).model_copy(update={"inherited": inherited}),
        }
    )
    pointing = None
    if outlines is not None:
        pointing = point_at_outlines(ModelFile(path, metadata, graph), Path(outlines))
    card = model_card(metadata, decisions, held_out.origin, pointing)
    metadata = metadata.model_copy(update={"card": card})
    with atomic_path(path) as temporary:
        written = write_model(temporary, graph, metadata)
        compare_with_keras(written, model, recipe, pixels)
    return replace(written, path=path)


def _check_splits(run: Run) -> None:
    """Refuse a run whose training images were moved to another part; say what else was edited."""
    contents = run.read()
    for part in PARTS:
        edited = edited_since(contents, part=part)
        if edited.trained:
            raise HonestyError(
                f"{len(edited.trained)} of the {edited.images} images that "
                f"{run.folder / 'manifest.csv'} calls {part} now were in another part when the run "
                f"was trained ({some_of(edited.trained)}). Expected images that the network was "
                "not fitted to, as thresholds are chosen on them, and the model file would not "
                "know that it has seen them. Put their column split back, or train again."
            )
        if part == "tuning":  # thresholds are chosen on these; `evaluate` speaks of the others
            for note in edited.notes():
                say(note)


def _recipe_of(folder: Path) -> Recipe:
    recipe = Recipe.load(folder / "recipe.toml")
    if recipe.task != "tumour":
        raise InputError(
            f'{folder} was trained with task = {recipe.task!r}. Expected "tumour": model files '
            "hold detectors. Use the run itself (tumorscope evaluate RUN DATA, or model.keras)."
        )
    return recipe


def _inherited(folder: Path, record: RunRecord) -> tuple[Prints, ...]:
    """Return the thumbprints of what the starting weights have seen."""
    run = Run(folder) if (folder / "run.json").is_file() else None
    inherited = prints_of(record.origin, run=run)
    if inherited is None:
        raise InputError(
            f"What the starting weights of {folder} were trained on is not known: the package "
            "holds another model by now, and the run has no model.onnx that remembers. Expected "
            "their thumbprints, so that the model file knows what it has seen. Train again."
        )
    return inherited


def _seen(recipe: Recipe, marks: Sequence[Marks], pixels: NDArray[np.uint8]) -> TrainingThumbprints:
    if not recipe.data.remember:
        return TrainingThumbprints(withheld=True)
    return TrainingThumbprints.of(marks, map(digest_of, pixels))


def _load(manifest: Manifest, recipe: Recipe) -> tuple[NDArray[np.uint8], list[Marks]]:
    how = recipe.input.preprocessing
    pixels = np.empty((len(manifest), how.size, how.size), dtype=np.uint8)
    marks: list[Marks] = []

    def load(row: Row) -> tuple[NDArray[np.uint8], Marks]:
        scan = read_slice(manifest.file(row))
        wanted = recipe.data.remember and row.split in ("training", "tuning")
        return prepare(scan, how), remembered(scan) if wanted else NOTHING

    with ThreadPoolExecutor(cores()) as pool:
        loaded = track(pool.map(load, manifest.rows), "Reading images", total=len(manifest))
        for index, (image, known_by) in enumerate(loaded):
            pixels[index] = image
            marks.append(known_by)
    return pixels, marks


def _metadata(
    model: keras.Model, recipe: Recipe, record: RunRecord, manifest: Manifest
) -> Metadata:
    """Return what is known of a model before its decisions are chosen."""
    grid = taps_of(model)[0].shape[1:3]
    return Metadata(
        name=recipe.name,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        graph_sha256="0" * 64,
        preprocessing=PreprocessingSpec.model_validate(recipe.input.preprocessing.to_dict()),
        grid=(int(grid[0]), int(grid[1])),
        operating_points=_operating_points(None),
        recipe=recipe.model_dump(mode="json"),
        data=_data(record, manifest),
        versions=record.versions,
    )


def _decide(held_out: HeldOut, miscoverage: float) -> MeasuredRules | None:
    if held_out.folds is None:
        return None
    return fit_and_measure(
        held_out.labels, held_out.logits, held_out.folds, miscoverage=miscoverage
    )


def _calibration(decisions: MeasuredRules | None, held_out: HeldOut) -> Calibration:
    if decisions is None:
        return Calibration(n=len(held_out.labels))
    return Calibration(
        slope=decisions.rules.slope,
        intercept=decisions.rules.intercept,
        fitted_on=held_out.origin,
        n=decisions.n,
        ece_before=decisions.ece_before,
        ece_after=decisions.ece_after,
    )


def _operating_points(decisions: MeasuredRules | None) -> dict[str, OperatingPoint]:
    if decisions is None:
        return {
            policy: OperatingPoint(threshold=0.5, policy=f"{words}; too few scores to choose")
            for policy, words in POLICIES.items()
        }
    return decisions.points


def _conformal(decisions: MeasuredRules | None, held_out: HeldOut, miscoverage: float) -> Conformal:
    positives = int(held_out.labels.sum())
    n = (len(held_out.labels) - positives, positives)
    if decisions is None:
        return Conformal(miscoverage=miscoverage, n=n)
    without, having = decisions.rules.quantiles
    return Conformal(miscoverage=miscoverage, no_tumour=without, tumour=having, n=n)


def _data(record: RunRecord, manifest: Manifest) -> dict[str, JsonValue]:
    known = manifest.of_split("training", "tuning").rows
    return {
        "sha256": record.data_sha256,
        "images": {name or WITHOUT_SPLIT: count for name, count in record.images.items()},
        "tumour": int(manifest.labels.sum()),
        "groups": len({row.group for row in manifest.rows}),
        "sources": [*sorted({row.source for row in known})],
        "sources_of": SOURCES_OF,
        "split": record.split,
        "copies_sought": manifest.audited,
        "seed": record.seed,
        "weights": record.weights,
    }
