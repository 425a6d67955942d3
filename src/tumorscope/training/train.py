"""One training run: a cohort and a recipe go in, a folder that tells everything comes out."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.arrays import labels_for, load_images
from tumorscope.cohort.edits import protect_edits
from tumorscope.cohort.facts import split_counts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.split import split
from tumorscope.cohort.tumour_type import types_missing
from tumorscope.common.csv_files import write_csv
from tumorscope.common.errors import UsageError
from tumorscope.common.files import atomic_path, output_folder, write_json, write_text
from tumorscope.common.locks import one_writer
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track
from tumorscope.common.versions import versions
from tumorscope.networks.backend import load_keras
from tumorscope.networks.network import summarise
from tumorscope.networks.start import start
from tumorscope.networks.weights import record_of, sentence_of
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import identity_in
from tumorscope.records.protocol import Cohort, Protocol, SplitMode, data_hash
from tumorscope.records.resume import check_same, interrupted_protocol, protocol_of, relocated
from tumorscope.records.run_folder import HISTORY, SCORE_COLUMNS, Run
from tumorscope.training.fit import Fitter, epochs_of
from tumorscope.training.splits import check_splits

if TYPE_CHECKING:
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
        If a manifest's splits part a group.
    OutputError
        If the folder cannot be written to.
    """
    load_keras()
    import keras

    from tumorscope.assessment.seen import keep_thumbprints
    from tumorscope.assessment.seen_weights import prints_of
    from tumorscope.training.export import write_checked  # needs `Run` in turn

    started = time.time()
    recipe = Recipe.of(recipe)
    folder = Path(output)
    finished, interrupted = _state(folder, resume=resume)
    if not finished:
        output_folder(folder)
    manifest = prepare_manifest(data)
    passed_over = manifest.notes.passed_over
    # Before any work: a task may ask for types that the cohort does not name.
    labels = labels_for(recipe.task, manifest.usable, complete=True)
    has_split = any(row.split for row in manifest.usable.rows)
    if not has_split:
        manifest = split(
            manifest,
            fractions=recipe.data.fractions,
            seed=recipe.seed,
            mode=split_by,
        )
    protocol = Protocol(
        recipe=recipe,
        weights=(record_of(recipe.network.backbone, weights),),
        data=Cohort.of(manifest.usable),
        split=split_by,
        versions=versions(),
    )
    identity = protocol.model_dump_json()
    if finished or interrupted:
        # What follows from images and recipe, another version may have derived otherwise.
        passing = {"recipe.data.fractions"} if has_split else {"data.splits"}
        if not isinstance(data, Manifest) and Path(data).is_dir():
            passing.add("data.groups")
        if finished:
            run = Run.open(folder)
            check_same(protocol_of(folder, run.facts), protocol, folder, passing=passing)
            say(f"The run in {folder} was finished already; nothing was trained.")
            return run
        backbone = recipe.network.backbone
        kept = interrupted_protocol(
            folder, protocol, weights=lambda: sentence_of(backbone, weights)
        )
        check_same(kept, protocol, folder, passing=passing)
        identity = identity_in(folder / "checkpoint.bin")
        manifest = relocated(Manifest.load(folder / "manifest.csv"), manifest)
        recipe, labels = kept.recipe, labels_for(recipe.task, manifest.usable)
        protocol = kept.model_copy(update={"versions": versions()})
    if split_by == "group":
        manifest.check_groups()
    usable = manifest.usable
    check_splits(usable, recipe)
    if not (folder / "recipe.toml").exists():  # what a run left that was stopped early is ours
        protect_edits(manifest, folder / "manifest.csv")
    model, origin = start(recipe, weights)
    images = load_images(usable, recipe.input.preprocessing, recipe.task)
    write_text(folder / "recipe.toml", recipe.to_toml())
    manifest.save(folder / "manifest.csv")

    splits = np.array([row.split for row in usable.rows])
    total = epochs_of(recipe)
    fitter = Fitter(model, images, recipe)
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
        seed=recipe.seed,
        checkpoint=folder / "checkpoint.bin",
        identity=identity,
        on_epoch=advance,
    )
    epochs.close()
    write_csv(folder / "history.csv", HISTORY, history)
    scores = fitter.predict(np.arange(len(usable)))
    saved = Manifest.load(folder / "manifest.csv").usable
    columns = SCORE_COLUMNS[recipe.task]
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
            for row, label, values in zip(
                saved.rows, labels, scores.reshape(len(usable), -1), strict=True
            )
        ],
    )
    with atomic_path(folder / "model.keras") as temporary:
        model.save(temporary)
    facts = {
        "notice": RESEARCH_USE_ONLY,
        "recipe": recipe.name,
        "task": recipe.task,
        "seed": recipe.seed,
        "split": "grouped" if split_by == "group" else "random",
        "weights": origin,
        "weights_given": str(weights),
        "identity": protocol.key,
        "protocol": json.loads(protocol.model_dump_json()),
        "data_sha256": data_hash(usable),
        "images": split_counts(usable.rows),
        "groups_joined": [list(names) for names in manifest.joined],
        "types_missing": types_missing(usable) if recipe.task == "tumour-type" else {},
        "unreadable": len(manifest) - len(usable),
        "passed_over": passed_over.to_json(),
        "versions": versions(),
        "backend": keras.config.backend(),
        "machine": f"{platform.system()} {platform.machine()}",
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds_training": round(sum(float(record["seconds"]) for record in history), 1),
        "seconds_total": round(time.time() - started, 1),
        "layers": [asdict(layer) for layer in summarise(model)],
    }
    if recipe.task == "tumour":
        write_checked(model, folder, facts, folder / "model.onnx")
    else:
        keep_thumbprints(folder, Manifest.load(folder / "manifest.csv"), prints_of(facts) or ())
    # Written last: its presence says that the run is whole.
    write_json(folder / "run.json", facts)
    (folder / "checkpoint.bin").unlink(missing_ok=True)
    return Run(folder)


def _state(folder: Path, *, resume: bool) -> tuple[bool, bool]:
    """Return whether a folder holds a finished or an interrupted run, which must be asked for."""
    finished = (folder / "run.json").exists()
    if finished and not resume:
        raise UsageError(
            f"{folder} holds a finished run, which would be overwritten. Expected a new or empty "
            "folder. Choose another with -o, or delete it."
        )
    interrupted = not finished and (folder / "checkpoint.bin").exists()
    if interrupted and not resume:
        raise UsageError(
            f"{folder} holds an interrupted run. Add --resume to go on with it, choose another "
            "folder with -o, or delete it."
        )
    return finished, interrupted
