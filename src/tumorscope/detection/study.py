"""What a person points at is pictures, volumes or both: told by names mostly, in one walk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.imaging.find import is_hidden
from tumorscope.imaging.kinds import DICOM_ENDINGS, IMAGE_SUFFIXES, NIFTI_ENDINGS, is_dicom

OUTNUMBER = 10
"""A folder with so many times as many volumes' files as pictures holds volumes: discs come with a
viewer and its icons."""

LOOKED_INTO = 200
"""Files without such an ending whose first bytes are looked at, before it is known that pictures
lie beside them."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What lies at some paths.

    Attributes
    ----------
    pictures : tuple of Path
        Files and folders to search for pictures; empty where only volumes are looked at.
    volumes : tuple of Path
        Files and folders to search for volumes; empty where only pictures are looked at. Where
        both are looked for in a folder, the files of volumes one by one.
    icons : int
        Pictures in folders that are not looked at, as volumes are so many times more.
    """

    pictures: tuple[Path, ...]
    volumes: tuple[Path, ...]
    icons: int = 0


def inputs_of(paths: Sequence[Path], *, exclude: Sequence[Path] = ()) -> Inputs:
    """Return where to look for pictures, and where for volumes (DICOM, NIfTI).

    Parameters
    ----------
    paths : sequence of Path
        Files and folders, as they were named.
    exclude : sequence of Path
        Folders below these that do not count, such as the one that results are written to.
    """
    places = [_Place(path, [each.resolve() for each in exclude]) for path in paths]
    pictures = sum(each.pictures for each in places)
    volumes = sum(len(each.volumes) for each in places)
    if not volumes:
        return Inputs(tuple(paths), ())
    if volumes >= OUTNUMBER * pictures:
        # A viewer's icons are come upon; a picture that somebody named is meant.
        named = tuple(each.path for each in places if each.is_named_picture)
        rest = tuple(each.path for each in places if not each.is_named_picture)
        icons = sum(each.pictures for each in places if each.path.is_dir())
        return Inputs(named, rest, icons)
    for each in places:
        each.look_into_all()
    with_pictures = [each.path for each in places if each.pictures or not each.volumes]
    files = [file for each in places for file in each.volumes]
    return Inputs(tuple(with_pictures), tuple(files))


class _Place:
    """A path that was named, and what lies there."""

    def __init__(self, path: Path, out: Sequence[Path]) -> None:
        self.path, self.pictures = path, 0
        self.volumes: list[Path] = []
        self._unknown: list[Path] = []
        if not path.is_dir():
            if path.is_file() and (_named_as_volume(path.name) or _has_mark(path)):
                self.volumes.append(path)
            else:
                self.pictures += 1
            return
        looked = 0
        for file in _files(path, out):
            if _ending(file.name) in IMAGE_SUFFIXES:
                self.pictures += 1
            elif _named_as_volume(file.name):
                self.volumes.append(file)
            elif looked >= LOOKED_INTO:
                self._unknown.append(file)
            else:
                looked += 1
                if _has_mark(file):
                    self.volumes.append(file)

    @property
    def is_named_picture(self) -> bool:
        """Whether it is a picture by its name, rather than a folder that holds some."""
        is_picture = _ending(self.path.name) in IMAGE_SUFFIXES and not self.volumes
        return is_picture and not self.path.is_dir()

    def look_into_all(self) -> None:
        """Find the volumes among files that were not looked into yet."""
        self.volumes += [file for file in self._unknown if _has_mark(file)]
        self.volumes.sort()
        self._unknown = []


def _files(folder: Path, out: Sequence[Path]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not is_hidden(name) and not (out and Path(place, name).resolve() in out)
        )
        yield from (Path(place, name) for name in sorted(names) if not is_hidden(name))


def _named_as_volume(name: str) -> bool:
    return name.lower().endswith((*NIFTI_ENDINGS, *DICOM_ENDINGS))


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _has_mark(path: Path) -> bool:
    try:
        with path.open("rb", buffering=0) as stream:
            return is_dicom(stream.read(132))
    except OSError:
        return False
