"""What somebody changed in a run's manifest.csv since the run scored its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tumorscope.cohort.arrays import labels_for
from tumorscope.common.classes import CLASSES, TYPE_CLASSES
from tumorscope.common.csv_files import read_csv
from tumorscope.common.words import counted, some_of
from tumorscope.records.run_folder import RunContents

Part = Literal["testing", "tuning"]


@dataclass(frozen=True, slots=True)
class Edited:
    """Differences between manifest.csv, as it is now, and scores.csv, as the run wrote it.

    Attributes
    ----------
    part : {"testing", "tuning"}
        Which part of the images this is about.
    images : int
        How many are in that part now.
    relabelled : tuple of (str, str, str)
        Path, label then and label now of those that have another label.
    trained : tuple of str
        Those that were in the training part when the run was trained, so that the network was
        fitted to them; of the testing part also those that were in the tuning part.
    left_out : tuple of str
        Images that were in this part and are not any more.
    """

    part: Part
    images: int
    relabelled: tuple[tuple[str, str, str], ...] = ()
    trained: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Return in sentences what a reader of results on these images must know."""
        notes = []
        if self.relabelled:
            named = some_of([f"{path}: {then}, now {now}" for path, then, now in self.relabelled])
            of = counted(self.images, f"{self.part} image")
            have = "has" if len(self.relabelled) == 1 else "have"
            notes.append(
                f"{len(self.relabelled)} of {of} {have} another label in the run's manifest.csv "
                f"than when the run was trained ({named}). Results follow manifest.csv as it is "
                "now. Labels that are corrected where a model is known to be wrong make it look "
                "better than it is: correct all images without looking at its answers, and train "
                "again from that manifest.csv."
            )
        if self.left_out:
            gone = counted(len(self.left_out), "image")
            notes.append(
                f"{gone} of the {self.part} part that the run was trained with "
                f"{'is' if len(self.left_out) == 1 else 'are'} left out by the run's manifest.csv "
                f"as it is now ({some_of(self.left_out)}). Images that are left out after they "
                "were scored can make results better than they are."
            )
        return notes


def edited_since(run: RunContents, *, part: Part = "testing") -> Edited:
    """Compare a part of a run's manifest.csv with what its scores.csv says of it.

    Runs of the first version do not record labels and splits there; of these nothing is found.

    Raises
    ------
    InputError
        If scores.csv cannot be read, or types are lacking that the task needs.
    """
    task = run.recipe.task
    names = CLASSES if task == "tumour" else TYPE_CLASSES
    now = run.manifest.usable.of_split(part)
    fitted = ("training", "tuning") if part == "testing" else ("training",)
    records = read_csv(run.on_disk.folder / "scores.csv")
    then = {each["path"]: each for each in records if each.get("path")}
    words = {str(place): name for place, name in enumerate(names)}
    relabelled, trained = [], []
    for row, label in zip(now.rows, labels_for(task, now).tolist(), strict=True):
        known = then.get(row.path, {})
        former = words.get(known.get("label") or "", names[label])
        if former != names[label]:
            relabelled.append((row.path, former, names[label]))
        if known.get("split") in fitted:
            trained.append(row.path)
    here = {row.path for row in now.rows}
    left_out = [
        path for path, known in then.items() if known.get("split") == part and path not in here
    ]
    return Edited(part, len(now), tuple(relabelled), tuple(trained), tuple(left_out))
