"""Runs and models → reports. The glue between training, which knows Keras, and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import Said, ask, write_scores
from tumorscope.assessment.context import measured_by, notes_on, picture_reader
from tumorscope.assessment.evaluation import Evaluation
from tumorscope.assessment.seen import refuse_trained_on
from tumorscope.assessment.seen_weights import refuse_seen
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.arrays import load_images
from tumorscope.cohort.facts import WITHOUT_SPLIT, cohort_facts, split_counts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.together import in_words
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.extras import require
from tumorscope.common.locks import one_writer
from tumorscope.detection.detector import model_path
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import SUFFIXES, read_any
from tumorscope.networks.predict import predict
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.commands import run_commands
from tumorscope.records.evaluation_folder import Asked, default_folder, folder_for, named
from tumorscope.records.protocol import data_hash
from tumorscope.records.run_folder import Run
from tumorscope.records.run_record import RunRecord
from tumorscope.records.scores import scores_of
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.published import THE_PAPER, Published
from tumorscope.reports.report import write_report
from tumorscope.statistics.answers import RAW_THRESHOLD
from tumorscope.statistics.metrics import Metrics

SAME_SCORE = 1e-3
"""Largest difference between a run's recorded scores and those of its own model file: ten times
what is tolerated at export, because machines differ."""


@one_writer
def evaluate(
    run: str | Path | Run,
    data: Data | None = None,
    *,
    output: str | Path | None = None,
    allow_seen: bool = False,
) -> Evaluation:
    """Measure a run or model on images that it has not seen.

    A run is measured by the detector that ships with it, ``RUN/model.onnx``: calibrated
    probabilities, its operating point "balanced", what it abstains on and refuses. The network's
    raw score at 0.5, which papers report, stands beside it.

    Parameters
    ----------
    run : path or Run
        As made by `tumorscope.training.train.train`; or a model file or "packaged", see
        `tumorscope.assessment.evaluate_model.evaluate_model`.
    data : path or Manifest, optional
        External cohort; the run's own testing images by default. A model file has none of its
        own.
    output : path, optional
        Folder for report.html, metrics.json, scores.csv and figures/; by default
        ``RUN/evaluation``, and ``RUN/evaluation-NAME`` for a cohort, NAME being its folder's.
    allow_seen : bool
        Score images that the run was trained on all the same; the report says so in its title.

    Returns
    -------
    Evaluation
        Metrics and the report's path.

    Raises
    ------
    HonestyError
        If `data` holds images of the run's training or tuning, or near-duplicates of them.
    InputError
        If the run or the data cannot be used.
    UsageError
        If `run` is a model file and `data` is missing.
    """
    if not isinstance(run, Run) and not (Path(run) / "run.json").is_file():
        run = model_path(run)
    if not isinstance(run, Run) and Path(run).suffix.lower() in SUFFIXES:
        return _evaluate_model(run, data, output=output, allow_seen=allow_seen)
    require("train", to="evaluate a run")
    run = run if isinstance(run, Run) else Run.open(run)
    if run.recipe.task != "tumour":
        raise UsageError(
            f'Received the run {run.folder} with task = {run.recipe.task!r}. Expected "tumour"; '
            "tumorscope.evaluate_types measures tumour types."
        )
    if data is None:
        whole = run.manifest
        manifest = _own_testing(run)
        unreadable: tuple[str, ...] = ()
    else:
        whole = prepare_manifest(data)
        manifest, unreadable = whole.usable, whole.unreadable
        if len(manifest) == 0:
            raise InputError(f"{data} has no readable image. Expected labelled brain MRI slices.")
    warning = refuse_weights(run, manifest, allow_seen=allow_seen)
    if data is not None:
        known = refuse_trained_on(run, manifest, data=named(data), allow_seen=allow_seen)
        warning = joined(warning, known)
    folder = folder_for(
        Path(output) if output else default_folder(run.folder, data, manifest),
        Asked(run.folder, data, manifest, model=_model_name(run)),
    )
    measured = _measure(run, manifest, own=data is None)
    metrics = _report(
        run,
        manifest,
        measured,
        folder,
        data=data,
        whole=whole,
        warning=warning,
        allow_seen=allow_seen,
    )
    return Evaluation(
        metrics=metrics,
        report=folder / "report.html",
        unreadable=unreadable,
        # What was left out of training was told then.
        passed_over=PassedOver() if data is None else whole.notes.passed_over,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """Scores of images, and where the shipped detector gave them, what else it said."""

    scores: NDArray[np.float64]
    threshold: float
    said: Said | None = None
    note: str = ""


def _model_name(run: Run) -> str:
    path = run.folder / "model.onnx"
    return read_any(path).metadata.id if path.is_file() else ""


def _measure(run: Run, manifest: Manifest, *, own: bool) -> _Measured:
    """Score images with the detector that ships; with the network alone where there is none."""
    path = run.folder / "model.onnx"
    recorded = _recorded_scores(run, manifest) if own else None
    gone = [row.path for row in manifest.rows if not manifest.file(row).is_file()]
    if path.is_file() and not gone:
        if own:
            manifest.check_files()
        file = read_any(path)
        said = ask(file, manifest)
        _check_belongs(run, file, said, recorded)
        if recorded is not None:
            # The paper's figures are of its network as Keras computes it.
            said = replace(said, raw=recorded, answers=replace(said.answers, raw=recorded))
        threshold = file.metadata.operating_points["balanced"].threshold
        return _Measured(scores=said.scores, threshold=threshold, said=said)
    if recorded is None:
        images = load_images(manifest, run.recipe.input.preprocessing)
        recorded = predict(run.load_model(), images.pixels, run.recipe)
    why = (
        f"{len(gone)} of {len(manifest)} testing images are gone ({gone[0]} …), so that the "
        "detector of this run could not be asked"
        if path.is_file()
        else f"This run has no model file ({path.name}): `tumorscope export {run.folder.name} -o "
        f"{run.folder.name}/{path.name}` writes one"
    )
    note = f"{why}. The figures are those of the network's raw score at {RAW_THRESHOLD:g}."
    return _Measured(scores=recorded, threshold=RAW_THRESHOLD, note=note)


def _check_belongs(
    run: Run, file: ModelFile, said: Said, recorded: NDArray[np.float64] | None
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
        f"tumorscope export {run.folder} -o {file.path}."
    )


def _report(
    run: Run,
    manifest: Manifest,
    measured: _Measured,
    folder: Path,
    *,
    data: Data | None,
    whole: Manifest,
    warning: str | None,
    allow_seen: bool,
) -> Metrics:
    recipe, record, said = run.recipe, run.record, measured.said
    sources = np.array([row.source for row in manifest.rows])
    title = f"Internal testing of the recipe “{recipe.name}”"
    if data is not None:
        title = f"External testing of the recipe “{recipe.name}” on "
        title += ", ".join(sorted(set(sources.tolist())))
    if said is not None:
        write_scores(folder / "scores.csv", manifest, said)
    random = data is None and record.split == "random"
    command = run_commands(
        run.folder,
        recipe,
        record,
        data=None if data is None else named(data),
        output=folder,
        allow_seen=allow_seen,
    )
    return write_report(
        ReportInputs(
            title=title + (" — on images it was trained on" if warning else ""),
            paths=[row.path for row in manifest.rows],
            labels=manifest.labels,
            scores=measured.scores,
            threshold=measured.threshold,
            groups=manifest.groups,
            sources=sources,
            split="random" if random else "grouped",
            external=data is not None,
            made_by="random" if record.split == "random" else "grouped",
            split_sizes=split_counts(run.manifest.usable.rows),
            answers=None if said is None else said.answers,
            copied=trained_copies(run.manifest.usable, manifest) if random else None,
            history=run.history,
            model_summary=_layers(record),
            pixels=picture_reader(manifest),
            recipe=recipe.model_dump(),
            facts=readable(run.facts) | measured_by(),
            cohort=cohort_facts(whole, splits=data is None),
            notes=[*([measured.note] if measured.note else []), *notes_on(recipe)],
            published=published_for(recipe) if data is None else None,
            warning=warning,
            command=command,
            subject=str(run.folder),
            data_sha256=data_hash(manifest),
        ),
        folder,
    )


def trained_copies(whole: Manifest, testing: Manifest) -> NDArray[np.bool_]:
    """Return which testing images have their file, or one of their group, on the other side."""
    known = whole.of_split("training", "tuning").rows
    groups, files = {row.group for row in known}, {row.sha256 for row in known}
    return np.array(
        [row.group in groups or row.sha256 in files for row in testing.rows], dtype=bool
    )


def refuse_weights(run: Run, manifest: Manifest, *, allow_seen: bool) -> str | None:
    """Do what `refuse_seen` does with the starting weights of a run."""
    return refuse_seen(
        run.record.origin, manifest, "the evaluation", allow_seen=allow_seen, run=run
    )


def joined(*warnings: str | None) -> str | None:
    """Return all warnings as one, None where there is none."""
    return " ".join(filter(None, warnings)) or None


def _evaluate_model(
    model: str | Path, data: Data | None, *, output: str | Path | None, allow_seen: bool
) -> Evaluation:
    from tumorscope.assessment.evaluate_model import evaluate_model  # needs `Evaluation` in turn

    if data is None:
        raise UsageError(
            f"{model} was given without images. Expected a cohort that the model has not seen: "
            "tumorscope evaluate MODEL.onnx DATA."
        )
    return evaluate_model(model, data, output=output, allow_seen=allow_seen)


def published_for(recipe: Recipe) -> Published | None:
    """Return what the paper claims, where the recipe is the paper's, whatever its name."""
    return THE_PAPER if recipe.follows(Recipe.load("paper")) else None


def _own_testing(run: Run) -> Manifest:
    run.check_groups()
    manifest = run.manifest.usable.of_split("testing")
    if len(manifest) == 0:
        raise InputError(
            f"The run {run.folder} has no testing images. Expected some, or a cohort to test on: "
            "tumorscope evaluate RUN DATA."
        )
    return manifest


def _recorded_scores(run: Run, manifest: Manifest) -> NDArray[np.float64]:
    """Return what the network itself said of the run's images when it was trained."""
    return scores_of(run.folder / "scores.csv", [row.path for row in manifest.rows])[:, 0]


def _layers(record: RunRecord) -> Sequence[tuple[str, str, str, int]]:
    return [
        (*_name_and_type(each.layer), each.output_shape, each.parameters) for each in record.layers
    ]


def _name_and_type(layer: str) -> tuple[str, str]:
    name, _, kind = layer.partition(" (")
    return name, kind.removesuffix(")")


def readable(facts: Mapping[str, object]) -> dict[str, str]:
    """Return the facts of a run as a flat table for people."""
    flat: dict[str, str] = {}
    for key, value in facts.items():
        if key in ("layers", "notice", "passed_over", "protocol"):
            continue
        if isinstance(value, dict):
            # Runs of former versions have images of the split "".
            flat |= {f"{key}: {name or WITHOUT_SPLIT}": str(item) for name, item in value.items()}
        elif key == "groups_joined" and isinstance(value, list):
            flat["groups joined"] = in_words([tuple(names) for names in value]) or "none"
        else:
            flat[key] = str(value)
    return flat
