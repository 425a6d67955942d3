"""One training run: a cohort and a recipe go in, a folder with everything comes out."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.thumbprints import keep_thumbprints, prints_of
from tumorscope.cohort.arrays import load_images
from tumorscope.cohort.facts import split_counts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.overwriting import protect_edits
from tumorscope.cohort.tumour_type import types_missing
from tumorscope.common.csv_files import write_csv
from tumorscope.common.files import atomic_path, output_folder, write_json, write_text
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say, track
from tumorscope.common.versions import versions
from tumorscope.networks.backend import load_keras
from tumorscope.networks.network import summarise
from tumorscope.networks.start import start
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import SplitMode, data_hash
from tumorscope.records.run_folder import HISTORY, PLACES_LOSS, SCORE_COLUMNS, Run
from tumorscope.records.run_record import RunRecord
from tumorscope.training.export import write_checked
from tumorscope.training.fit import Fitter
from tumorscope.training.phases import epochs_of
from tumorscope.training.plan import (
    Plan,
    check_finished,
    check_splits,
    gone_on_with,
    plan_run,
    state_of,
)

if TYPE_CHECKING:
    import keras

    from tumorscope.records.checkpoint import Record


@one_writer
def train(
    data: Data,
    *,
    recipe: str | Path | Recipe = "paper",
    weights: str | Path = "imagenet",
    output: str | Path,
    split_by: SplitMode = "group",
    resume: bool = False,
) -> Run:
    """Train a detector.

    Parameters
    ----------
    data : path or Manifest
        A folder of class folders, which is audited and split; or a manifest, which is split if it
        has no split yet.
    recipe : str, Path or Recipe
        Name of a recipe that ships, a TOML file, or a `Recipe`.
    weights : {"imagenet", "mri", "none"} or path
        Starting weights of the backbone; see `tumorscope.networks.weights.load_weights`.
    output : path
        Folder of the run; must be new, empty, or with `resume` that of an interrupted run.
    split_by : {"group", "random"}
        "random" splits as the paper did, so that copies of one picture lie on both sides; its
        results are too good, and the report says so. For comparison only.
    resume : bool
        Go on after the last finished epoch.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    InputError
        If the cohort, recipe or weights cannot be used.
    HonestyError
        If a manifest's splits divide a group.
    OutputError
        If the folder cannot be written to.
    """
    load_keras()
    started, folder = time.time(), Path(output)
    recipe = Recipe.of(recipe)
    state = state_of(folder, resume=resume)
    if state != "finished":
        output_folder(folder)
    plan = plan_run(data, recipe, weights, split_by)
    if state == "finished":
        run = check_finished(folder, plan)
        say(f"The run in {folder} was finished already; nothing was trained.")
        return run
    if state == "interrupted":
        plan = gone_on_with(folder, plan)
    return _run(folder, plan, started)


def _run(folder: Path, plan: Plan, started: float) -> Run:
    """Train what is planned, and write everything that the folder is to hold."""
    recipe, usable = plan.recipe, plan.manifest.usable
    if plan.protocol.split == "group":
        plan.manifest.check_groups()
    check_splits(usable, recipe)
    if not (folder / "recipe.toml").exists():  # what a run left that was stopped early is ours
        protect_edits(plan.manifest, folder / "manifest.csv")
    model, origin = start(recipe, plan.weights)
    images = load_images(
        usable, recipe.input.preprocessing, recipe.task, masks=recipe.trains_on_places
    )
    write_text(folder / "recipe.toml", recipe.to_toml())
    plan.manifest.save(folder / "manifest.csv")
    fitter = Fitter(model, images, recipe)
    history = _fit(fitter, plan, folder / "checkpoint.bin")
    write_csv(folder / "history.csv", _columns(recipe), history)
    _write_scores(folder, plan, fitter.predict(np.arange(len(usable))))
    with atomic_path(folder / "model.keras") as temporary:
        model.save(temporary)
    seconds = sum(float(record["seconds"]) for record in history)
    record = _record(plan, model, origin, seconds=seconds, started=started)
    if recipe.task == "tumour":
        write_checked(model, folder, record, folder / "model.onnx")
    else:
        inherited = prints_of(record.origin) or ()
        cohort = Manifest.load(folder / "manifest.csv")
        keep_thumbprints(folder, cohort, inherited, remember=recipe.data.remember)
    # Written last: its presence says that the run is whole.
    write_json(folder / "run.json", record.model_dump(mode="json"))
    (folder / "checkpoint.bin").unlink(missing_ok=True)
    return Run(folder)


def _columns(recipe: Recipe) -> tuple[str, ...]:
    """Return the columns of history.csv."""
    if not recipe.trains_on_places:
        return HISTORY
    place = HISTORY.index("accuracy") + 1
    return (*HISTORY[:place], PLACES_LOSS, *HISTORY[place:])


def _fit(fitter: Fitter, plan: Plan, checkpoint: Path) -> list[Record]:
    """Train with a progress bar, going on from the checkpoint where there is one."""
    splits = np.array([row.split for row in plan.manifest.usable.rows])
    total = epochs_of(plan.recipe)
    epochs = track(range(1, total + 1), "Training", total=total, unit="epochs")
    next(epochs)

    def advance(record: Record) -> None:
        # More than one step at once after a resume.
        for epoch in epochs:
            if epoch > int(record["epoch"]):
                break

    history = fitter.fit(
        training=np.flatnonzero(splits == "training"),
        tuning=np.flatnonzero(splits == "tuning"),
        seed=plan.recipe.seed,
        checkpoint=checkpoint,
        identity=plan.identity,
        on_epoch=advance,
    )
    epochs.close()
    return history


def _write_scores(folder: Path, plan: Plan, scores: NDArray[np.float64]) -> None:
    """Write scores.csv: what the network says of every usable image."""
    saved = Manifest.load(folder / "manifest.csv").usable
    columns = SCORE_COLUMNS[plan.recipe.task]
    found = scores.reshape(len(saved), -1)
    write_csv(
        folder / "scores.csv",
        ("path", "label", "split", *columns),
        [
            {
                "path": row.path,
                "label": label,
                "split": row.split,
                **{name: f"{value:.8f}" for name, value in zip(columns, values, strict=True)},
            }
            for row, label, values in zip(saved.rows, plan.labels, found, strict=True)
        ],
    )


def _record(
    plan: Plan, model: keras.Model, origin: Weights, *, seconds: float, started: float
) -> RunRecord:
    import keras

    manifest, recipe, protocol = plan.manifest, plan.recipe, plan.protocol
    usable = manifest.usable
    return RunRecord(
        recipe=recipe.name,
        task=recipe.task,
        seed=recipe.seed,
        split="grouped" if protocol.split == "group" else "random",
        weights=origin.sentence,
        weights_given=str(plan.weights),
        identity=protocol.key,
        protocol=json.loads(protocol.model_dump_json()),
        data_sha256=data_hash(usable),
        images=split_counts(usable.rows),
        groups_joined=manifest.joined,
        types_missing=types_missing(usable) if recipe.task == "tumour-type" else {},
        unreadable=len(manifest) - len(usable),
        passed_over=plan.passed_over.to_json(),
        versions=versions(),
        backend=keras.config.backend(),
        machine=f"{platform.system()} {platform.machine()}",
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        seconds_training=round(seconds, 1),
        seconds_total=round(time.time() - started, 1),
        layers=tuple(summarise(model)),
    )
