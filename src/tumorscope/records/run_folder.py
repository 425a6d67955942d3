"""A training run on disk: what is in its folder, read back and checked."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cohort.copies import settle_copies
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.scan_notes import ScanNotes
from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import InputError
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.networks.network import load
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.run_record import RunRecord

if TYPE_CHECKING:
    import keras


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
"""Columns of history.csv; `PLACES_LOSS` follows `accuracy` in trainings on places."""

PLACES_LOSS = "places_loss"

SCORE_COLUMNS = {
    "tumour": ("score",),
    "tumour-type": tuple(f"score_{name.replace(' ', '_')}" for name in TYPE_CLASSES),
}
"""Task → columns of scores.csv, in the order of a network's outputs."""


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
        return self._manifest(self.record)

    @property
    def record(self) -> RunRecord:
        """Versions, seed, hashes and times.

        Raises
        ------
        InputError
            If run.json is damaged.
        """
        path = self.folder / "run.json"
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            text = ""
        return RunRecord.parse(text, origin=path)

    @property
    def facts(self) -> Mapping[str, object]:
        """The same as plain values, as they stand in run.json."""
        return self.record.to_json()

    @property
    def passed_over(self) -> PassedOver:
        """What was left out of the folder that it was trained on; older runs do not say."""
        return PassedOver.from_json(self.record.passed_over)

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

    def read(self) -> RunContents:
        """Read what decides the run, once.

        Raises
        ------
        InputError
            If a file is damaged.
        """
        record = self.record
        return RunContents(self, self.recipe, record, self._manifest(record))

    def _manifest(self, record: RunRecord) -> Manifest:
        notes = ScanNotes(passed_over=PassedOver.from_json(record.passed_over))
        return Manifest.load(self.folder / "manifest.csv", notes=notes)

    def check_groups(self) -> None:
        """Make sure that the run's splits divide no copies; see `RunContents.check_groups`."""
        self.read().check_groups()

    def load_model(self) -> keras.Model:
        """Load the fitted Keras model."""
        path = self.folder / "model.keras"
        try:
            return load(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} is missing or damaged ({str(error).strip().splitlines()[0]}). Expected "
                "the network as `tumorscope train` wrote it. Train again into another folder."
            ) from error


@dataclass(frozen=True, slots=True)
class RunContents:
    """A run with what its folder says of it.

    Attributes
    ----------
    on_disk : Run
        Its folder, for what is read when it is needed.
    recipe : Recipe
    record : RunRecord
        Of run.json.
    manifest : Manifest
        As `Run.manifest`.
    """

    on_disk: Run
    recipe: Recipe
    record: RunRecord
    manifest: Manifest

    def check_groups(self) -> None:
        """Make sure that the run's splits divide no copies, unless it says that they do.

        Raises
        ------
        HonestyError
            If they divide a group: the network has seen copies of its testing images.
        InputError
            If images must be compared to tell, and cannot be read.
        """
        if self.record.split != "random":
            settle_copies(self.manifest).check_groups()
