"""The folder that a report goes to, so that no other report is lost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.overwriting import Document, read_document, refuse_others
from tumorscope.common.files import output_folder
from tumorscope.records.protocol import data_hash
from tumorscope.records.reported import Reported

LONGEST = 60
"""Longest part of a cohort's name that is kept, in letters."""


def named(data: Data) -> str:
    """Return the path of a cohort, as one would type it."""
    return str(data.root / "manifest.csv") if isinstance(data, Manifest) else str(data)


def folder_read(data: Data | None) -> Path | None:
    """Return the folder of scans or the manifest that is read."""
    return None if data is None or isinstance(data, Manifest) else Path(data)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an evaluation is of, to be compared with what a report in a folder is of.

    Attributes
    ----------
    subject : Path
        The run or the model file.
    data : path, Manifest or None
        The cohort; None for the run's own testing images.
    scored : Manifest
        Its images.
    model : str
        Name of the model that answers, where it is known.
    """

    subject: Path
    data: Data | None
    scored: Manifest
    model: str = ""

    def is_of(self, document: Document, folder: Path) -> bool:
        """Whether the metrics.json of a folder are of the same model and the same images."""
        there = Reported.of(document)
        if there.kind != ("internal testing" if self.data is None else "external testing"):
            return False
        same_data = (
            self.data is None
            or there.data_sha256 == data_hash(self.scored)
            or (there.data is not None and there.data.resolve() == Path(named(self.data)).resolve())
        )
        # A run that was moved took its reports along.
        moved = self.subject.resolve() in folder.resolve().parents
        same_model = moved or (
            (there.subject is not None and there.subject.resolve() == self.subject.resolve())
            or (self.model != "" and self.model == there.model)
        )
        return same_data and same_model


def refuse_occupied(wanted: Path, asked: Asked) -> None:
    """Refuse a folder for a report where what is already there would be lost.

    Raises
    ------
    UsageError
        If it holds another report, or the scans that are read.
    """
    refuse_others(
        wanted,
        {"metrics.json": lambda there: asked.is_of(there, wanted)},
        reading=folder_read(asked.data),
    )


def cross_validation_folder(wanted: Path, data: Data) -> Path:
    """Create the folder of a cross-validation, where it holds nothing but the folds of one.

    Whose folds they are is asked when their protocol is known.

    Raises
    ------
    UsageError
        If it holds the report of another command, or the scans that are read.
    """
    folds = dict.fromkeys(("folds/protocol.json", "folds/protocol.txt"), lambda _: True)
    refuse_others(
        wanted,
        {
            **folds,
            "metrics.json": lambda there: Reported.of(there).kind == "cross-validation",
        },
        reading=folder_read(data),
    )
    return output_folder(wanted)


def default_folder(run: Path, data: Data | None, scored: Manifest) -> Path:
    """Return the folder for a report: one for the run's own images, and one for each cohort.

    Parameters
    ----------
    run : Path
        Folder of the run.
    data : path, Manifest or None
        What was asked for.
    scored : Manifest
        Its images.
    """
    if data is None:
        return run / "evaluation"
    return folder_of_its_own(run / f"evaluation-{_safe(_name_of(data))}", scored)


def folder_of_its_own(wanted: Path, scored: Manifest, model: str = "") -> Path:
    """Return a folder for the report on a cohort that holds no report on another.

    A cohort is known by what its images hold: evaluated again, it goes to the same folder. Where
    something else is there already, the name is numbered.

    Parameters
    ----------
    wanted : Path
        The folder, if it is free.
    scored : Manifest
        The cohort.
    model : str
        Name of the model that answers, where models of several names may have reports there.
    """
    mine = (data_hash(scored), model)
    folder, number = wanted, 1
    while folder.exists() and _evaluated(folder, by_model=model != "") != mine:
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def _name_of(data: Data) -> str:
    path = data.root if isinstance(data, Manifest) else Path(data)
    path = path.absolute()
    if path.suffix.lower() == ".csv":
        return path.parent.name if path.stem.lower() == "manifest" else path.stem
    return path.resolve().name if path.name in ("", "..") else path.name


def _safe(name: str) -> str:
    kept = re.sub(r"[^\w.-]+", "-", name).strip("-._")
    return kept[:LONGEST] or "cohort"


def _evaluated(folder: Path, *, by_model: bool) -> tuple[str, str] | None:
    """Return the hash of the images that a report is on, and with `by_model` of which model."""
    document = read_document(folder / "metrics.json")
    there = None if document is None else Reported.of(document)
    if there is None or not there.data_sha256:
        return None
    return there.data_sha256, there.model if by_model else ""
