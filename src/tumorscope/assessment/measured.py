"""Scoring images: by the detector that ships, or by the network alone where there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import Said, ask_cohort
from tumorscope.assessment.subject import Scored, Subject
from tumorscope.cohort.arrays import load_images
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.masks import with_usable_masks
from tumorscope.common.errors import InputError
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.networks.predict import predict
from tumorscope.records.run_folder import SCORE_COLUMNS, RunContents
from tumorscope.records.scores import scores_of
from tumorscope.statistics.answers import RAW_THRESHOLD

SAME_SCORE = 1e-3
"""Largest difference between a run's recorded scores and those of its own model file: ten times
what is tolerated at export, because machines differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Scores of images, and where a detector gave them, what else it said.

    Attributes
    ----------
    scores : ndarray of float64, shape (n,) or (n, classes)
        Probability of tumour, or of each of several classes.
    threshold : float
        From which one is called a tumour.
    said : Said or None
        What the detector said of the images.
    note : str
        Why no detector was asked.
    """

    scores: NDArray[np.float64]
    threshold: float
    said: Said | None = None
    note: str = ""


def measure(subject: Subject, images: Scored, *, operating_point: str) -> Measured:
    """Score images: by a run's or a model's own file, else by the network of the run.

    Raises
    ------
    InputError
        If the model file in a run's folder is not that of the run, or images cannot be read.
    UsageError
        If the model has no such operating point.
    """
    model, run, manifest = subject.model, subject.run, images.manifest
    recorded = _recorded(run, manifest) if run is not None and not images.external else None
    gone = [row.path for row in manifest.rows if not manifest.file(row).is_file()]
    if model is not None and not gone:
        if recorded is not None:
            manifest.check_files()
        outlined = with_usable_masks(manifest)
        said = ask_cohort(model, outlined, operating_point=operating_point, outlines=True)
        if run is not None:
            _check_belongs(run, model, said, recorded)
        if recorded is not None:
            # What the paper reports is its network's score as Keras computes it.
            said = replace(said, raw=recorded, answers=replace(said.answers, raw=recorded))
        threshold = model.metadata.operating_points[operating_point].threshold
        return Measured(scores=said.scores, threshold=threshold, said=said)
    assert run is not None  # the images of a cohort were just read
    if recorded is None:
        recipe = run.recipe
        pixels = load_images(manifest, recipe.input.preprocessing, recipe.task).pixels
        recorded = predict(run.on_disk.load_model(), pixels, recipe)
    return Measured(scores=recorded, threshold=RAW_THRESHOLD, note=_why_raw(run, manifest, gone))


def _recorded(run: RunContents, manifest: Manifest) -> NDArray[np.float64]:
    """Return what the network itself said of the run's images when it was trained."""
    columns = SCORE_COLUMNS[run.recipe.task]
    found = scores_of(
        run.on_disk.folder / "scores.csv", [row.path for row in manifest.rows], columns
    )
    return found[:, 0] if len(columns) == 1 else found


def _check_belongs(
    run: RunContents, file: ModelFile, said: Said, recorded: NDArray[np.float64] | None
) -> None:
    """Make sure that a run is not measured by the model file of another."""
    theirs, ours = str(file.metadata.data.get("sha256", "")), run.record.data_sha256
    apart = 0.0
    if recorded is not None and file.metadata.precision == "float32":
        apart = float(np.abs(said.raw - recorded).max())
    if theirs == ours and apart <= SAME_SCORE:
        return
    found = (
        "was made from other images than this run"
        if theirs != ours
        else f"gives scores that differ by up to {apart:.2g} from those in scores.csv"
    )
    raise InputError(
        f"{file.path} {found}. Expected the model file of this very run. Write it again: "
        f"tumorscope export {run.on_disk.folder} -o {file.path}."
    )


def _why_raw(run: RunContents, manifest: Manifest, gone: list[str]) -> str:
    """Return why the detector was not asked, in words; "" where the task has none."""
    if run.recipe.task != "tumour":
        return ""
    name = run.on_disk.folder.name
    why = (
        f"{len(gone)} of {len(manifest)} testing images are gone ({gone[0]} …), so that the "
        "detector of this run could not be asked"
        if gone
        else f"This run has no model file (model.onnx): `tumorscope export {name} -o "
        f"{name}/model.onnx` writes one"
    )
    return f"{why}. The results are those of the network's raw score at {RAW_THRESHOLD:g}."
