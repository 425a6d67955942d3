"""One training run: a cohort and a recipe go in, a folder that tells everything comes out."""

from __future__ import annotations

import csv
import io
import json
import platform
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tumorscope import __version__
from tumorscope.cohort.audit import audit
from tumorscope.cohort.copies import settle_copies
from tumorscope.cohort.edits import protect_edits
from tumorscope.cohort.facts import split_counts, to_know
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.scan_notes import ScanNotes
from tumorscope.cohort.split import split
from tumorscope.cohort.tumour_type import CLASSES, types_missing
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import atomic_path, output_folder, write_json, write_text
from tumorscope.common.locks import one_writer
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.training.backend import load_keras
from tumorscope.training.checkpoint import identity_in
from tumorscope.training.data import labels_for, load_images
from tumorscope.training.fit import Fitter, epochs_of
from tumorscope.training.network import build, summarise
from tumorscope.training.protocol import Cohort, Protocol, SplitMode, data_hash
from tumorscope.training.recipe import CORRECTS_TWICE, Recipe
from tumorscope.training.resume import check_same, interrupted_protocol, protocol_of, relocated
from tumorscope.training.splits import check_splits
from tumorscope.training.weights import load_weights, record_of, sentence_of

if TYPE_CHECKING:
    import keras

    from tumorscope.training.checkpoint import Record

HISTORY = (
    "epoch",
    "phase",
    "learning_rate",
    "loss",
    "accuracy",
    "tuning_loss",
    "tuning_accuracy",
    "tuning_auc",
    "seconds",
)

FACTS = frozenset({"weights", "split", "seed", "versions", "images", "data_sha256", "layers"})
"""What is always in run.json."""

SCORE_COLUMNS = {
    "tumour": ("score",),
    "tumour-type": tuple(f"score_{name.replace(' ', '_')}" for name in CLASSES),
}
"""Task → columns of scores.csv, in the order of a network's outputs."""

Data = str | Path | Manifest


@dataclass(frozen=True, slots=True)
class Run:
    """A finished training run on disk.

    Attributes
    ----------
    folder : Path
        Holds recipe.toml, manifest.csv, history.csv, scores.csv, model.keras, run.json and, for
        the task "tumour", model.onnx.
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Return the run in `folder`.

        Raises
        ------
        InputError
            If there is none, or it is not finished.
        """
        folder = Path(folder)
        if not (folder / "run.json").is_file():
            state = "an unfinished run" if (folder / "checkpoint.bin").exists() else "no run"
            raise InputError(
                f"{folder} holds {state}. Expected a folder that `tumorscope train -o RUN` has "
                "finished; go on with an unfinished one by adding --resume to its command."
            )
        return cls(folder)

    @property
    def recipe(self) -> Recipe:
        """The recipe that was followed."""
        return Recipe.load(self.folder / "recipe.toml")

    @property
    def manifest(self) -> Manifest:
        """The cohort with its splits, and what was left out of its folder."""
        manifest = Manifest.load(self.folder / "manifest.csv")
        return replace(manifest, notes=ScanNotes(passed_over=self.passed_over))

    @property
    def facts(self) -> Mapping[str, object]:
        """Versions, seed, hashes and times."""
        path = self.folder / "run.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            facts = None
        if not isinstance(facts, dict) or not facts.keys() >= FACTS:
            raise InputError(
                f"{path} is damaged. Expected what `tumorscope train` wrote, with "
                f"{', '.join(sorted(FACTS))}. Train again into another folder."
            )
        return facts

    @property
    def passed_over(self) -> PassedOver:
        """What was left out of the folder that it was trained on; older runs do not tell."""
        return PassedOver.from_json(self.facts.get("passed_over"))

    @property
    def history(self) -> list[dict[str, float | int | str]]:
        """One record per epoch."""
        records = read_csv(self.folder / "history.csv")
        try:
            return [
                {
                    name: value if name == "phase" else float(value)
                    for name, value in record.items()
                    if value
                }
                for record in records
            ]
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{self.folder / 'history.csv'} is damaged ({error}). Expected what `tumorscope "
                "train` wrote. Train again into another folder."
            ) from error

    def check_groups(self) -> None:
        """Make sure that the run's splits part no copies, unless it says that they do.

        Raises
        ------
        HonestyError
            If they part a group: its testing images are no strangers to the network.
        InputError
            If images must be compared to tell, and cannot be read.
        """
        if self.facts["split"] != "random":
            settle_copies(self.manifest).check_groups()

    def load_model(self) -> keras.Model:
        """Load the fitted Keras model."""
        load_keras()
        import keras

        path = self.folder / "model.keras"
        try:
            return keras.models.load_model(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} is missing or damaged ({str(error).strip().splitlines()[0]}). Expected "
                "the network as `tumorscope train` wrote it. Train again into another folder."
            ) from error


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
        Starting weights of the backbone; see `tumorscope.training.weights.load_weights`.
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

    from tumorscope.training.export import write_checked  # needs `Run` in turn
    from tumorscope.training.packaged_weights import prints_of
    from tumorscope.training.seen import keep_thumbprints

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


def prepare_manifest(data: Data) -> Manifest:
    """Return an audited manifest: a folder is audited, a manifest checked against its files.

    Groups that share a picture are joined, and files of a folder are passed over; both is said.

    Raises
    ------
    InputError
        If nothing can be used, or files are missing or changed.
    """
    if isinstance(data, Manifest) or Path(data).suffix.lower() == ".csv":
        manifest = data if isinstance(data, Manifest) else Manifest.load(data)
        manifest.check_files()
        manifest = settle_copies(manifest)
    else:
        found = audit(data, probes=False)
        manifest = found.manifest
        for line in (*found.words_on_groups(), *manifest.notes.words()):
            say(line)
    for line in to_know(manifest):
        say(line)
    return manifest


def start(recipe: Recipe, weights: str | Path) -> tuple[keras.Model, str]:
    """Build the network with its starting weights, and make what follows reproducible.

    Returns
    -------
    tuple
        The model, and a sentence on where its weights come from.
    """
    load_keras()
    import keras

    if recipe.corrects_twice:
        say(f'{CORRECTS_TWICE} Set class_weights = "none" in the recipe.')
    keras.utils.set_random_seed(recipe.seed)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    model = build(recipe)
    origin = load_weights(model.layers[0], name=recipe.network.backbone, weights=weights)
    return model, origin


def versions() -> dict[str, str]:
    """Return the versions of everything that decides a number."""
    found = {"tumorscope": __version__, "python": platform.python_version()}
    names = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "onnxruntime")
    for name in (*names, "opencv-python-headless", "pillow", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the records of a CSV file of ours.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read {path}: {error}. Expected a file that tumorscope wrote. Run the command "
            "that makes it again."
        ) from error


def write_csv(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, object]]) -> None:
    """Write records as CSV, whole or not at all; a missing value is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_text(path, text.getvalue())
