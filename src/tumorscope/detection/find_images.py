"""Files and folders → image paths, one after the other, without looking at all of them first."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from tumorscope.common.errors import InputError
from tumorscope.common.words import some_of
from tumorscope.imaging.find import images_below
from tumorscope.imaging.kinds import IMAGE_SUFFIXES
from tumorscope.imaging.passed_over import PassedOver

KEPT = 20
"""Paths of what was passed over that are kept for each reason; the rest is counted."""

LONGEST_NAME = 180
"""Bytes of a file name that leave room for what a temporary name adds; systems allow 255."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to look at.

    Attributes
    ----------
    path : Path
        As the person wrote it, or below a folder that they wrote.
    place : PurePath
        Where results of this file go, relative to their folder: what lies below the folder that
        was searched, under that folder's name where several paths were given. No two files that
        are found share one.
    """

    path: Path
    place: PurePath


def find_images(
    paths: Sequence[str | Path],
    *,
    exclude: Sequence[Path] = (),
    passed: PassedOver | None = None,
) -> Iterator[Found]:
    """Yield the files that were named, and the images in the folders that were named.

    Folders are searched as `tumorscope.imaging.find.images_below` says. A file that is named
    itself is taken whatever it is called, and also where it does not exist, so that it can be
    reported.

    Parameters
    ----------
    paths : sequence of path
        Files and folders.
    exclude : sequence of path
        Folders below those of `paths` that are passed over, such as the one that results are
        written to, whether they exist already or come into being during the search.
    passed : PassedOver, optional
        Counts what is passed over, as the search goes on.

    Raises
    ------
    InputError
        Before the first is yielded, if there are none at all, or a folder among `paths` cannot be
        listed.
    """
    passed = PassedOver(keep=KEPT) if passed is None else passed
    found = _walk([Path(path) for path in paths], exclude, passed)
    first = next(found, None)
    if first is None:
        raise InputError(
            " ".join(
                [
                    f"Found no images in {some_of(paths) or 'nothing'}. Expected image files, or "
                    "folders that hold files ending in "
                    f"{', '.join(sorted(IMAGE_SUFFIXES))} at any depth. "
                    "Hidden files and links to folders are passed over; name a linked folder "
                    "itself to search it.",
                    *passed.words(without="folder-without-images"),
                ]
            )
        )
    return itertools.chain([first], found)


def count_images(
    paths: Sequence[str | Path], *, exclude: Sequence[Path] = (), seconds: float = 0.5
) -> int | None:
    """Count what `find_images` will find, for a progress bar; None where that takes too long."""
    deadline = time.monotonic() + seconds
    count = 0
    try:
        for _ in _walk([Path(path) for path in paths], exclude):
            count += 1
            if count % 256 == 0 and time.monotonic() > deadline:
                return None
    except InputError:
        return None
    return count


def _walk(
    paths: Sequence[Path], exclude: Sequence[Path], passed: PassedOver | None = None
) -> Iterator[Found]:
    for path, label in zip(paths, _labels(paths), strict=True):
        if not path.is_dir():
            yield Found(path, _png(PurePath(label)))
            continue
        # With one folder, results lie as its images do; with several, under their names.
        above = PurePath() if len(paths) == 1 else PurePath(label)
        empty = True
        for image in images_below(path, exclude=exclude, passed=passed):
            empty = False
            yield Found(image, _png(above / image.relative_to(path)))
        if empty and passed is not None:
            passed.add("folder-without-images", path, scan=True)


def _png(place: PurePath) -> PurePath:
    # The whole name stays in front, because a.png and a.jpg may lie side by side.
    name = place.name
    data = os.fsencode(name)
    if len(data) > LONGEST_NAME:
        digest = hashlib.sha256(data).hexdigest()[:16]
        name = f"{data[: LONGEST_NAME - 20].decode('utf-8', 'ignore')}-{digest}"
    return place.parent / f"{name}.png"


def _labels(paths: Sequence[Path]) -> list[str]:
    """Name each path by its last part, numbered where two would be called the same."""
    labels: list[str] = []
    used: set[str] = set()
    for path in paths:
        # "." and ".." have no name of their own.
        name = label = path.name if path.name not in ("", "..") else path.resolve().name or "root"
        numbers = itertools.count(2)
        while label in used:
            label = f"{name}-{next(numbers)}"
        used.add(label)
        labels.append(label)
    return labels
