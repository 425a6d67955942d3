"""Where the report on a cohort goes that is not the run's own, without losing another."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tumorscope.cohort.manifest import Manifest
from tumorscope.training.protocol import data_hash
from tumorscope.training.run import Data

LONGEST = 60
"""Letters of a cohort's name that are kept."""


def named(data: Data) -> str:
    """Return the path of a cohort, as one would type it."""
    return str(data.root / "manifest.csv") if isinstance(data, Manifest) else str(data)


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


def folder_of_its_own(wanted: Path, scored: Manifest) -> Path:
    """Return a folder for the report on a cohort that holds no report on another.

    A cohort is known by what its images hold: evaluated again, it goes to the same folder. Where
    something else lies there, the name is numbered.

    Parameters
    ----------
    wanted : Path
        The folder, if it is free.
    scored : Manifest
        The cohort.
    """
    mine = data_hash(scored)
    folder, number = wanted, 1
    while folder.exists() and _evaluated(folder) != mine:
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


def _evaluated(folder: Path) -> str | None:
    """Return the hash of the images that the report in a folder is of; None where it tells none."""
    try:
        document = json.loads((folder / "metrics.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = document.get("data_sha256") if isinstance(document, dict) else None
    return found if isinstance(found, str) and found else None
