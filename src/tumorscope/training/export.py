"""A finished run → one model file, compared with Keras on real images before anyone sees it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from tumorscope.assessment.lesion_masks import point_at_outlines
from tumorscope.assessment.thumbprints import prints_of
from tumorscope.cohort.arrays import BATCH, batches
from tumorscope.cohort.copies import settle_copies
from tumorscope.cohort.facts import WITHOUT_SPLIT
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.cohort.together import in_words
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.files import atomic_path
from tumorscope.common.locks import writing
from tumorscope.detection.engines import open_engine
from tumorscope.duplicates.thumbprint import BYTES, thumbprint
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.onnx_file import ModelFile, write_model
from tumorscope.model_file.schema import (
    Calibration,
    Conformal,
    Estimate,
    HowPrepared,
    InputCheck,
    Metadata,
    OperatingPoint,
    Seen,
)
from tumorscope.networks.input_check_features import (
    PASSING,
    FeatureSpace,
    held_out_distances,
    limit_of,
)
from tumorscope.networks.model_graph import model_graph
from tumorscope.networks.network import input_check_features
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import read_protocol
from tumorscope.records.protocol import Cohort, Protocol, data_hash, tell_versions, told
from tumorscope.records.resume import protocol_of
from tumorscope.records.run_folder import Run
from tumorscope.records.run_record import RunRecord
from tumorscope.records.scores import read_records, scores_in, scores_of
from tumorscope.statistics import Interval, wilson
from tumorscope.statistics.decisions import MISCOVERAGE, MeasuredRules, fit_and_measure
from tumorscope.statistics.operating_points import POLICIES
from tumorscope.statistics.platt import logit, sigmoid
from tumorscope.synthetic.not_brain import draw_not_brain
from tumorscope.training.card import SOURCES_OF, model_card
from tumorscope.training.feature_store import feature_engine

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-4
"""Largest difference of a probability between Keras and the model file that passes."""

FEWEST_COMPARED = 64

MEASURING_FOLDS = 5

FEWEST_FOR_A_LIMIT = round(1.0 / (1.0 - PASSING))
"""Images without which the largest distance would be the limit, whatever it is."""


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    """Scores of images that the network was not fitted on."""

    labels: NDArray[np.int64]
    logits: NDArray[np.float64]
    folds: NDArray[np.int64] | None
    origin: str


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
        Folder of images with outlined lesions, by which the card tells where evidence lies; see
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
        If splits or folds part copies of one picture, or the model file's probabilities differ
        from Keras' by more than 1e-4; nothing is left behind then.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise InputError(f"Cannot write the model to {path}. Expected a name that ends in .onnx.")
    run.check_groups()
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
    recipe = Recipe.load(folder / "recipe.toml")
    if recipe.task != "tumour":
        raise InputError(
            f'{folder} was trained with task = {recipe.task!r}. Expected "tumour": model files '
            "hold detectors. Use the run itself (tumorscope evaluate RUN DATA, or model.keras)."
        )
    manifest = Manifest.load(folder / "manifest.csv").usable
    manifest.check_files()
    inherited = prints_of(
        record.origin, run=Run(folder) if (folder / "run.json").is_file() else None
    )
    if inherited is None:
        raise InputError(
            f"What the starting weights of {folder} were trained on is not known: the package "
            "holds another model by now, and the run has no model.onnx that remembers. Expected "
            "their thumbprints, so that the model file knows what it has seen. Train again."
        )
    pixels, thumbprints = _load(manifest, recipe)
    held_out = _held_out(folder, manifest, record, crossval)
    decisions = _decide(held_out, miscoverage)
    known = np.array([row.split in ("training", "tuning") for row in manifest.rows])
    space, check = _input_check(model, recipe, manifest, pixels, known)
    calibration = _calibration(decisions, held_out)
    graph = model_graph(
        model, recipe, slope=calibration.slope, intercept=calibration.intercept, space=space
    )
    grid = model.layers[0].output.shape[1:3]
    metadata = Metadata(
        name=recipe.name,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        graph_sha256="0" * 64,
        preprocessing=HowPrepared.model_validate(recipe.input.preprocessing.to_dict()),
        grid=(int(grid[0]), int(grid[1])),
        calibration=calibration,
        operating_points=_operating_points(decisions),
        conformal=_conformal(decisions, held_out, miscoverage),
        input_check=check,
        seen=Seen.pack(thumbprints[known]).model_copy(update={"inherited": inherited}),
        recipe=recipe.model_dump(mode="json"),
        data=_data(record, manifest),
        versions=record.versions,
    )
    serialised = graph.SerializeToString()
    pointing = None
    if outlines is not None:
        pointing = point_at_outlines(ModelFile(path, metadata, serialised), Path(outlines))
    card = model_card(metadata, decisions, held_out.origin, pointing)
    metadata = metadata.model_copy(update={"card": card})
    with atomic_path(path) as temporary:
        written = write_model(temporary, serialised, metadata)
        _compare(written, model, recipe, pixels)
    return replace(written, path=path)


def _load(manifest: Manifest, recipe: Recipe) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    how = recipe.input.preprocessing
    pixels = np.empty((len(manifest), how.size, how.size), dtype=np.uint8)
    thumbprints = np.empty((len(manifest), BYTES), dtype=np.uint8)
    for index, row in enumerate(manifest.rows):
        scan = read_slice(manifest.file(row))
        pixels[index], thumbprints[index] = prepare(scan, how), thumbprint(scan)
    return pixels, thumbprints


def _held_out(
    folder: Path,
    manifest: Manifest,
    record: RunRecord,
    crossval: str | Path | None,
) -> _HeldOut:
    if crossval is None:
        rows = manifest.of_split("tuning")
        values = scores_of(folder / "scores.csv", [row.path for row in rows.rows])
        folds = _folds(rows.labels, rows.groups)
        return _HeldOut(rows.labels, logit(values), folds, "the run's tuning images")
    # What will be tested on must not choose thresholds.
    tested = {row.sha256 for row in manifest.of_split("testing").rows}
    scored = Path(crossval) / "scores.csv"
    records = read_records(scored, ("path", "label", "repeat", "score"))
    theirs = settle_copies(Manifest.load(Path(crossval) / "manifest.csv")).usable
    if theirs.joined:
        raise HonestyError(
            f"The folds in {crossval} were made from groups that part copies of one picture: "
            f"{in_words(theirs.joined)} Expected scores of models that saw no copy, because "
            "thresholds chosen on others promise too much. Run `tumorscope crossval` again."
        )
    _check_protocol(Path(crossval), theirs, folder, manifest, protocol_of(folder, record))
    rows_of = {row.path: row for row in theirs.rows}
    # With sources left out, some images are not scored.
    if (
        not _labelled(theirs) <= _labelled(manifest)
        or not {each["path"] for each in records} == rows_of.keys()
    ):
        raise InputError(
            f"The scores in {crossval} are of other images than those of the run {folder}. "
            "Expected a cross-validation of the same images. Run `tumorscope crossval` on "
            f"{folder / 'manifest.csv'}."
        )
    place = {row.path: index for index, row in enumerate(theirs.rows)}
    turns = [int(each["repeat"]) if each["repeat"].isdecimal() else -1 for each in records]
    repeats = 1 + max(turns)
    if min(turns) < 0 or repeats > len(records):
        raise InputError(
            f"{scored} holds repeats that are no numbers from 0. Expected what `tumorscope "
            "crossval` wrote. Run it again."
        )
    values = np.full((len(place), repeats), np.nan)
    for each, turn, score in zip(records, turns, scores_in(scored, records)[:, 0], strict=True):
        values[place[each["path"]], turn] = score
    if np.isnan(values).any():
        raise InputError(
            f"The scores in {crossval} are not whole. Expected each image once in every repeat. "
            "Finish the cross-validation with --resume."
        )
    sources_out = len(theirs) < len(manifest)
    kept = np.array([row.sha256 not in tested for row in theirs.rows])
    theirs = theirs.having(row for row in theirs.rows if row.sha256 not in tested)
    values = values[kept]
    folds = _folds(theirs.labels, theirs.groups)
    noun = "repeat" if repeats == 1 else "repeats"
    origin = f"out-of-fold scores of a cross-validation ({repeats} {noun})"
    if sources_out:
        counts = Counter(row.source for row in theirs.rows)
        origin = "scores of images whose sources were left out of training ("
        origin += ", ".join(f"{count} of {name}" for name, count in sorted(counts.items())) + ")"
    return _HeldOut(theirs.labels, logit(values), folds, origin)


def _check_protocol(
    crossval: Path, scored: Manifest, folder: Path, manifest: Manifest, run: Protocol
) -> None:
    """Refuse scores that promise too much, or that come from another network than the run's."""
    theirs = read_protocol(crossval)
    if theirs.split == "random":
        raise HonestyError(
            f"The scores in {crossval} come from a random split, which parts copies of one "
            "picture. Expected a split by group, because thresholds chosen on such scores promise "
            "too much. Run `tumorscope crossval` again without --split random."
        )
    theirs = theirs.model_copy(update={"data": _told_apart(theirs.data, manifest, scored)})
    passing = {"folds", "repeats", "hold_out", "split", "recipe.data.fractions"}
    if not theirs.hold_out:
        passing.add("data.splits")  # which it does not look at
    names = ("in the run", "in the cross-validation")
    changes = run.changes(theirs, passing=passing, names=names)
    if changes:
        raise InputError(
            f"The scores in {crossval} come from another network than the run {folder}. "
            f"{told(changes)} Expected a cross-validation with the same recipe, seed, starting "
            "weights and images, because calibration and thresholds of one network do not fit "
            f"another. Run `tumorscope crossval {folder / 'manifest.csv'} --recipe "
            f"{folder / 'recipe.toml'}` with the --weights of the run."
        )
    tell_versions(theirs, run)


def _labelled(manifest: Manifest) -> set[tuple[str, int]]:
    return {(row.sha256, row.label) for row in manifest.rows}


def _told_apart(data: Cohort, *known: Manifest) -> Cohort:
    """Return what a cohort of an older version holds, where its one hash is that of a known one."""
    if data.content:
        return data
    for rows in known:
        unsplit = rows.having(replace(row, split="") for row in rows.rows)
        for each in (rows, unsplit):
            if data_hash(each) == data.sha256:
                return Cohort.of(each)
    return data


def _folds(labels: NDArray[np.int64], groups: NDArray[np.str_]) -> NDArray[np.int64] | None:
    """Return folds to measure decisions on, none where a class has too few groups to part."""
    most = min(len(set(groups[labels == label].tolist())) for label in (0, 1))
    if most < MEASURING_FOLDS:
        return None
    return grouped_folds(labels, groups, folds=MEASURING_FOLDS, seed=0)


def _decide(held_out: _HeldOut, miscoverage: float) -> MeasuredRules | None:
    if held_out.folds is None:
        return None
    return fit_and_measure(
        held_out.labels, held_out.logits, held_out.folds, miscoverage=miscoverage
    )


def _calibration(decisions: MeasuredRules | None, held_out: _HeldOut) -> Calibration:
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


def _conformal(
    decisions: MeasuredRules | None, held_out: _HeldOut, miscoverage: float
) -> Conformal:
    positives = int(held_out.labels.sum())
    n = (len(held_out.labels) - positives, positives)
    if decisions is None:
        return Conformal(miscoverage=miscoverage, n=n)
    without, having = decisions.rules.quantiles
    return Conformal(miscoverage=miscoverage, no_tumour=without, tumour=having, n=n)


def _input_check(
    model: keras.Model,
    recipe: Recipe,
    manifest: Manifest,
    pixels: NDArray[np.uint8],
    known: NDArray[np.bool_],
) -> tuple[FeatureSpace | None, InputCheck]:
    """Fit the space on training and tuning images; measure the limit on the testing images.

    How far other things lie is seen on drawn pictures, because a run has no photographs.
    """
    features = _pooled_features(model, recipe, pixels)
    labels, groups = manifest.labels, manifest.groups
    folds = _folds(labels[known], groups[known])
    if folds is None or known.sum() < FEWEST_FOR_A_LIMIT:
        return None, InputCheck()
    space = FeatureSpace.fit(features[known])
    how = recipe.input.preprocessing
    other = np.stack([prepare(scan, how) for scan in draw_not_brain()])
    others = space.distances(_pooled_features(model, recipe, other))
    limit = limit_of(held_out_distances(features[known], folds), others)
    refused = None
    tested = np.array([row.split == "testing" for row in manifest.rows])
    if tested.any():
        beyond = space.distances(features[tested]) > limit
        refused = _estimate(wilson(int(beyond.sum()), len(beyond)))
    apart = _estimate(wilson(int((others > limit).sum()), len(others)))
    return space, InputCheck(distance=limit, refused_brain=refused, refused_other=apart)


def _pooled_features(
    model: keras.Model, recipe: Recipe, pixels: NDArray[np.uint8]
) -> NDArray[np.float64]:
    backbone = model.layers[0]
    run = feature_engine(backbone, [input_check_features(backbone)], recipe.input.scaling)
    parts = [
        run(pixels[batch])[0].astype(np.float64).mean(axis=(1, 2))
        for batch in batches(np.arange(len(pixels)), BATCH)
    ]
    return np.concatenate(parts)


def _compare(
    written: ModelFile, model: keras.Model, recipe: Recipe, pixels: NDArray[np.uint8]
) -> None:
    """Refuse the model file unless it says what Keras says, and its evidence adds up.

    Cohorts of fewer than 64 images are mirrored and turned, up to six views of each.
    """
    several = [pixels]
    for turned in (
        pixels[:, :, ::-1],
        pixels[:, ::-1],
        *(np.rot90(pixels, k, (1, 2)) for k in (1, 2, 3)),
    ):
        if sum(map(len, several)) < FEWEST_COMPARED:
            several.append(turned)
    compared = np.concatenate(several)
    if len(compared) > 4 * FEWEST_COMPARED:
        compared = compared[:: len(compared) // (2 * FEWEST_COMPARED)]
    engine = open_engine(written, "onnxruntime")
    outputs = [engine.run(compared[batch]) for batch in batches(np.arange(len(compared)), BATCH)]
    probability = np.concatenate([each.probability for each in outputs])
    total = np.concatenate([each.evidence.sum(axis=(1, 2)) + each.bias for each in outputs])
    logits = np.concatenate([each.logit for each in outputs])
    calibration = written.metadata.calibration
    expected = sigmoid(
        calibration.slope * _keras_logits(model, compared, recipe) + calibration.intercept
    )
    difference = float(np.abs(probability - expected).max())
    gap = float(np.abs(total - logits).max())
    # "not <=" so that NaN fails too.
    if not difference <= TOLERANCE or not gap <= 1e-3:
        raise HonestyError(
            f"The model file differs from Keras: the largest difference of a probability on "
            f"{len(compared)} images is {difference:.2g}, that of evidence and logit {gap:.2g}. "
            f"Expected at most {TOLERANCE:g} and 0.001. Nothing was written; please report it."
        )


def _keras_logits(
    model: keras.Model, pixels: NDArray[np.uint8], recipe: Recipe
) -> NDArray[np.float64]:
    """Return what Keras puts into its sigmoid, which in float32 is 1 from a logit of 17 on."""
    import keras

    before_last = keras.Model(model.inputs, model.layers[-1].input)
    kernel, bias = (np.asarray(each, dtype=np.float64) for each in model.layers[-1].get_weights())
    values = np.concatenate(
        [
            np.asarray(before_last.predict_on_batch(network_input(part, recipe.input.scaling)))
            for part in (pixels[batch] for batch in batches(np.arange(len(pixels)), BATCH))
        ]
    )
    logits: NDArray[np.float64] = (values @ kernel + bias).ravel()
    return logits


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


def _estimate(interval: Interval) -> Estimate:
    return Estimate(value=interval.value, low=interval.low, high=interval.high)
