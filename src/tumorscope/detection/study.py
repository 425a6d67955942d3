"""What a person points at is pictures, or volumes: told by names mostly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tumorscope.imaging.find import is_hidden
from tumorscope.imaging.kinds import DICOM_ENDINGS, IMAGE_SUFFIXES, NIFTI_ENDINGS, is_dicom

OUTNUMBER = 10
"""A folder with so many times as many volumes' files as pictures holds volumes: discs come with a
viewer and its icons."""

LOOKED_INTO = 200
"""Files without such an ending whose first bytes are looked at."""


def holds_volumes(paths: Sequence[Path]) -> bool:
    """Return whether paths lead to volumes (DICOM, NIfTI) rather than to pictures.

    Files: all of them are. Folders: they hold no pictures, or ten times as many files of volumes.
    """
    volumes = pictures = 0
    for path in paths:
        if not path.is_dir():
            found = _is_volume(path)
            volumes += found
            pictures += not found
            continue
        more, others = _counted(path)
        volumes += more
        pictures += others
    return volumes > 0 and volumes >= OUTNUMBER * pictures


def _counted(folder: Path) -> tuple[int, int]:
    """Return how many files of volumes and how many pictures a folder holds, by name mostly."""
    volumes = pictures = looked = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(names):
            ending = os.path.splitext(name)[1].lower()  # noqa: PTH122
            if is_hidden(name):
                continue
            if ending in IMAGE_SUFFIXES:
                pictures += 1
            elif name.lower().endswith((*NIFTI_ENDINGS, *DICOM_ENDINGS)):
                volumes += 1
            elif looked < LOOKED_INTO:
                looked += 1
                volumes += _has_mark(Path(place, name))
    return volumes, pictures


def _is_volume(path: Path) -> bool:
    named = path.name.lower().endswith((*NIFTI_ENDINGS, *DICOM_ENDINGS))
    return path.is_file() and (named or _has_mark(path))


def _has_mark(path: Path) -> bool:
    try:
        with path.open("rb", buffering=0) as stream:
            return is_dicom(stream.read(132))
    except OSError:
        return False
