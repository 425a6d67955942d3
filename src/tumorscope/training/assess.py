"""Runs and models → reports. The glue between training, which knows Keras, and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.facts import WITHOUT_SPLIT, cohort_facts
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.overlap import overlap
from tumorscope.common.errors import HonestyError, InputError, UsageError
from tumorscope.common.extras import require
from tumorscope.common.files import output_folder
from tumorscope.common.locks import one_writer
from tumorscope.detection.detector import model_path
from tumorscope.evaluation.metrics import Metrics
from tumorscope.evaluation.report import THE_PAPER, Published, ReportInputs, write_report
from tumorscope.imaging import read_slice
from tumorscope.model_file.artefacts import SUFFIXES
from tumorscope.training.backbones import lookup
from tumorscope.training.data import load_images
from tumorscope.training.fit import predict
from tumorscope.training.packaged_weights import refuse_seen
from tumorscope.training.recipe import CORRECTS_TWICE, Recipe
from tumorscope.training.run import Data, Run, prepare_manifest
from tumorscope.training.scores import scores_of
from tumorscope.training.weights import IMAGENET


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    metrics : Metrics
        With intervals.
    report : Path
        The HTML file to open.
    unreadable : tuple of str
        Files that could not be read and were left out.
    """

    metrics: Metrics
    report: Path
    unreadable: tuple[str, ...] = ()


@one_writer
def evaluate(
    run: str | Path | Run,
    data: Data | None = None,
    *,
    output: str | Path | None = None,
    allow_seen: bool = False,
) -> Evaluation:
    """Measure a run or model on images that it has not seen.

    Parameters
    ----------
    run : path or Run
        As made by `tumorscope.training.run.train`; or a model file or "packaged", see
        `tumorscope.training.assess_model.evaluate_model`.
    data : path or Manifest, optional
        External cohort; the run's own testing images by default. A model file has none of its
        own.
    output : path, optional
        Folder for report.html, metrics.json and figures/; ``RUN/evaluation`` by default.
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
    require("train", to="evaluate a model")
    run = run if isinstance(run, Run) else model_path(run)
    if not isinstance(run, Run) and run.suffix.lower() in SUFFIXES:
        return _evaluate_model(run, data, output=output, allow_seen=allow_seen)
    run = run if isinstance(run, Run) else Run.open(run)
    recipe, facts = run.recipe, run.facts
    if recipe.task != "tumour":
        raise UsageError(
            f'Received the run {run.folder} with task = {recipe.task!r}. Expected "tumour"; '
            "tumorscope.evaluate_types measures tumour types."
        )
    folder = output_folder(Path(output) if output else run.folder / "evaluation")
    warning = None
    unreadable: tuple[str, ...] = ()
    if data is None:
        manifest, scores = _own_testing(run)
        warning = refuse_seen(facts["weights"], manifest, "the evaluation", allow_seen=allow_seen)
        title = f"Internal testing of the recipe “{recipe.name}”"
        split = str(facts["split"])
    else:
        whole = prepare_manifest(data)
        manifest, unreadable = whole.usable, whole.unreadable
        warning = joined(
            refuse_seen(facts["weights"], manifest, "the evaluation", allow_seen=allow_seen),
            refuse_trained_on(run, manifest, allow_seen=allow_seen),
        )
        images = load_images(manifest, recipe.input.preprocessing)
        scores = predict(run.load_model(), images.pixels, recipe)
        sources = {row.source for row in manifest.rows}
        title = f"External testing of the recipe “{recipe.name}” on {', '.join(sorted(sources))}"
        split = "grouped"
    if warning:
        title += " — on images it was trained on"
    metrics = write_report(
        ReportInputs(
            title=title,
            paths=[row.path for row in manifest.rows],
            labels=manifest.labels,
            scores=scores,
            groups=manifest.groups,
            sources=np.array([row.source for row in manifest.rows]),
            split="random" if split == "random" else "grouped",
            history=run.history,
            model_summary=_layers(facts),
            pixels=picture_reader(manifest),
            recipe=recipe.model_dump(),
            facts=readable(facts),
            cohort=cohort_facts(run.manifest if data is None else whole, splits=data is None),
            notes=notes_on(recipe),
            published=published_for(recipe) if data is None else None,
            warning=warning,
            command=f"tumorscope evaluate {run.folder.name}" + ("" if data is None else " DATA"),
        ),
        folder,
    )
    return Evaluation(metrics=metrics, report=folder / "report.html", unreadable=unreadable)


def joined(*warnings: str | None) -> str | None:
    """Return all warnings as one, None where there is none."""
    return " ".join(filter(None, warnings)) or None


def _evaluate_model(
    model: str | Path, data: Data | None, *, output: str | Path | None, allow_seen: bool
) -> Evaluation:
    from tumorscope.training.assess_model import evaluate_model  # needs `Evaluation` in turn

    if data is None:
        raise UsageError(
            f"{model} was given without images. Expected a cohort that the model has not seen: "
            "tumorscope evaluate MODEL.onnx DATA."
        )
    return evaluate_model(model, data, output=output, allow_seen=allow_seen)


def picture_reader(manifest: Manifest) -> Callable[[int], NDArray[np.uint8]]:
    """Return a function from a row's position to its grey pixels, uint8 (height, width)."""
    return lambda index: read_slice(manifest.file(manifest.rows[index])).pixels


def notes_on(recipe: Recipe) -> list[str]:
    """Return what a reader should know of a recipe before trusting its figures."""
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
    if recipe.augmentation.variants:
        notes.append(
            f"Each training image has {recipe.augmentation.variants} augmented versions, used in "
            "turn, so that frozen layers see each one once."
        )
    return notes


def published_for(recipe: Recipe) -> Published | None:
    """Return what the paper claims, where the recipe is the paper's."""
    return THE_PAPER if recipe.name.startswith("paper") else None


def _own_testing(run: Run) -> tuple[Manifest, NDArray[np.float64]]:
    run.check_groups()
    manifest = run.manifest.usable.of_split("testing")
    if len(manifest) == 0:
        raise InputError(
            f"The run {run.folder} has no testing images. Expected some, or a cohort to test on: "
            "tumorscope evaluate RUN DATA."
        )
    scores = scores_of(run.folder / "scores.csv", [row.path for row in manifest.rows])
    return manifest, scores[:, 0]


def refuse_trained_on(run: Run, manifest: Manifest, *, allow_seen: bool) -> str | None:
    """Return what to warn of where images were seen in training; None where none were.

    Raises
    ------
    HonestyError
        If some were, and `allow_seen` is false.
    """
    known = run.manifest.usable.of_split("training", "tuning")
    seen = overlap(known, manifest).matches
    if not seen:
        return None
    first = next(iter(seen))
    message = (
        f"{len(seen)} of {len(manifest)} images were used to train this model, or are near "
        f"duplicates of such images: {first} matches {seen[first][0]}"
        + (" …" if len(seen) > 1 else "")
    )
    if not allow_seen:
        raise HonestyError(
            f"{message}. Expected images that the model has not seen: a score on these says "
            "nothing of new patients. Leave them out (`tumorscope audit DATA --against ...` lists "
            "them), or add --allow-seen to score them in a report that says so."
        )
    return f"{message}. These figures are too good."


def _layers(facts: Mapping[str, object]) -> Sequence[tuple[str, str, str, int]]:
    layers = facts["layers"]
    assert isinstance(layers, list)
    return [
        (*_name_and_type(str(each["layer"])), str(each["output_shape"]), int(each["parameters"]))
        for each in layers
    ]


def _name_and_type(layer: str) -> tuple[str, str]:
    name, _, kind = layer.partition(" (")
    return name, kind.removesuffix(")")


def readable(facts: Mapping[str, object]) -> dict[str, str]:
    """Return the facts of a run as a flat table for people."""
    flat: dict[str, str] = {}
    for key, value in facts.items():
        if isinstance(value, dict):
            # Runs of former versions have images of the split "".
            flat |= {f"{key}: {name or WITHOUT_SPLIT}": str(item) for name, item in value.items()}
        elif key not in ("layers", "notice"):
            flat[key] = str(value)
    return flat
