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
from tumorscope.imaging.read import IMAGE_SUFFIXES

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


def find_images(paths: Sequence[str | Path], *, exclude: Sequence[Path] = ()) -> Iterator[Found]:
    """Yield the files that were named, and the images in the folders that were named.

    Folders are searched to any depth, files of a folder before its subfolders, each sorted by
    name, so the order is the same in every run. One folder at a time is held in memory. In folders
    only names with an image's ending count, and hidden files and folders, with them half-written
    files, are passed over; a file that is named itself is taken whatever it is called, and also
    where it does not exist, so that it can be reported. Links to files are followed, links to
    folders are not unless they are named themselves, so loops of links end.

    Parameters
    ----------
    paths : sequence of path
        Files and folders.
    exclude : sequence of path
        Folders below those of `paths` that are passed over, such as the one that results are
        written to, whether they exist already or come into being during the search.

    Raises
    ------
    InputError
        Before the first is yielded, if there are none at all, or a folder among `paths` cannot be
        listed.
    """
    found = _walk([Path(path) for path in paths], exclude)
    first = next(found, None)
    if first is None:
        named = ", ".join(printable(path) for path in paths[:3]) + (" …" if len(paths) > 3 else "")
        raise InputError(
            f"Found no images in {named or 'nothing'}. Expected image files, or folders that hold "
            f"files ending in {', '.join(sorted(IMAGE_SUFFIXES))} at any depth. Hidden files and "
            "links to folders are passed over; name a linked folder itself to search it."
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


def printable(path: str | PurePath) -> str:
    r"""Return a path as text for screens and tables.

    Line ends and other control characters, and bytes that are not UTF-8, become escapes such as
    ``\n`` and ``\xff``: a terminal would obey the former, and no UTF-8 file can hold the latter.
    """
    text = str(path)
    if text.isprintable():
        return text
    plain = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in plain
    )


def as_text(path: str | PurePath) -> str:
    r"""Return a path as text that UTF-8 can hold; bytes that are not UTF-8 become ``\xff``."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    return text


def _walk(paths: Sequence[Path], exclude: Sequence[Path]) -> Iterator[Found]:
    for path, label in zip(paths, _labels(paths), strict=True):
        if not path.is_dir():
            yield Found(path, _png(PurePath(label)))
            continue
        # With one folder, results lie as its images do; with several, under their names.
        above = PurePath() if len(paths) == 1 else PurePath(label)
        yield from _below(path, above, exclude, named=True)


def _below(
    folder: Path, above: PurePath, exclude: Sequence[Path], *, named: bool
) -> Iterator[Found]:
    # A stack instead of recursion: folders may be nested deeper than Python's calls.
    stack = [(folder, above)]
    while stack:
        folder, above = stack.pop()
        names, subfolders = _list(folder, named=named)
        named = False
        for name in names:
            yield Found(folder / name, _png(above / name))
        # Anew for each folder, because the first overlay may have made the one to pass over.
        passed = [_identity(each) for each in exclude] if subfolders else []
        stack += [
            (folder / name, above / name)
            for name in reversed(subfolders)
            if not passed or _identity(folder / name) not in passed
        ]


def _list(folder: Path, *, named: bool) -> tuple[list[str], list[str]]:
    names, subfolders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    subfolders.append(entry.name)
                elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES and not (  # noqa: PTH122
                    entry.is_symlink() and entry.is_dir()
                ):
                    names.append(entry.name)
    except OSError as error:
        if named:
            raise InputError(
                f"Cannot list the folder {printable(folder)}: {error.strerror or error}. Expected "
                "a folder that you may read. Check its permissions."
            ) from error
        # One image that cannot be read is a row with its reason, and so is one such folder.
        return [""], []
    return sorted(names), sorted(subfolders)


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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
