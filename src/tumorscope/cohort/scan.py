"""Class folders → `Manifest` rows, before duplicates are looked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tumorscope.cohort.manifest import Manifest, Row, portable_path
from tumorscope.cohort.tumour_type import type_of_folder
from tumorscope.common.errors import InputError, UnreadableImageError
from tumorscope.common.files import sha256_of
from tumorscope.imaging.read import IMAGE_SUFFIXES, inspect_image

POSITIVE = frozenset({"yes", "tumour", "tumor", "positive", "glioma", "meningioma", "pituitary"})
NEGATIVE = frozenset({"no", "notumour", "notumor", "negative", "healthy", "normal", "control"})

TINY = 64
"""Images with an edge under this many pixels are flagged: 224 × 224 made from them is guesswork."""


def label_of_folder(name: str) -> int | None:
    """Return 1 or 0 for a class folder's name (``yes``, ``no_tumor``, ``Glioma`` …), else None."""
    plain = "".join(letter for letter in name.lower() if letter.isalpha())
    if plain in NEGATIVE:
        return 0
    return 1 if plain in POSITIVE or type_of_folder(name) else None


def scan_folder(data: str | Path, *, source: str | None = None) -> Manifest:
    """List the images of a folder of class folders; one row per file, readable or not.

    Hidden files and files whose name has no image ending are passed over. Every image is a group
    of its own here; `tumorscope.cohort.audit` joins duplicates.

    Parameters
    ----------
    data : path
        A folder with at least two class folders, such as ``yes/`` and ``no/``; searched to any
        depth below those. Class folders may also lie one folder deeper, as in ``Training/yes/``;
        such parts are joined, because they were seldom made by group.
    source : str, optional
        Name of the cohort; the folder's name by default.

    Raises
    ------
    InputError
        If it is no folder, or no class folder, or no images, or only one class is found; or a
        file's name is not UTF-8.
    """
    root = Path(data)
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder. Expected a folder with class folders such as yes/ and no/, "
            "or a manifest written by `tumorscope audit`."
        )
    folders = {child: label_of_folder(child.name) for child in sorted(root.iterdir())}
    classes = {
        child: label for child, label in folders.items() if child.is_dir() and label is not None
    }
    if not classes:
        # As public sets come: Training/glioma … and Testing/glioma …; their split is not grouped.
        classes = {
            child: label
            for part in folders
            if part.is_dir()
            for child in sorted(part.iterdir())
            if child.is_dir() and (label := label_of_folder(child.name)) is not None
        }
    if not classes:
        found = ", ".join(child.name for child in folders if child.is_dir()) or "no folders"
        raise InputError(
            f"{root} has no class folders; found {found}. Expected tumour images in one of "
            f"{', '.join(sorted(POSITIVE))} and the others in one of "
            f"{', '.join(sorted(NEGATIVE))} (upper case, spaces and underscores do not matter)."
        )
    name = source or root.absolute().name
    rows = [
        replace(_row(file, root, label, name), tumour_type=type_of_folder(child.name))
        for child, label in classes.items()
        for file in _images_below(child)
    ]
    if not rows:
        raise InputError(
            f"{root} has class folders ({', '.join(child.name for child in classes)}) but no "
            f"images in them. Expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    if len({row.label for row in rows}) < 2:
        found = ", ".join(child.name for child in classes)
        raise InputError(
            f"{root} holds images of one class only ({found}). Expected both tumour and no-tumour "
            "images: a detector cannot be trained or measured on one class."
        )
    if not any(row.usable for row in rows):
        raise InputError(
            f"None of the {len(rows)} image files in {root} can be read. First of them: "
            f"{_reason(root / rows[0].path)}"
        )
    return Manifest(tuple(rows), root)


def _images_below(folder: Path) -> Iterator[Path]:
    # os.walk does not follow links to folders, so loops of links end.
    for place, subfolders, names in os.walk(folder):
        subfolders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                yield Path(place, name)


def _row(file: Path, root: Path, label: int, source: str) -> Row:
    path = portable_path(file, root)
    if not _is_text(path):
        raise InputError(
            f"The name of the file {path.encode(errors='surrogateescape')!r} in {root} is not "
            "UTF-8, so no manifest or report can name it. Expected names in UTF-8. Rename it."
        )
    # Unreadable files have no content to be grouped by, so their path names their group.
    alone = hashlib.sha256(path.encode()).hexdigest()[:12]
    try:
        info = inspect_image(file)
        digest = sha256_of(file)
    except (UnreadableImageError, OSError):
        return Row(path, "", label, f"u{alone}", source=source, flags=("unreadable",))
    flags = []
    if info.disguised:
        flags.append("disguised")
    if min(info.width, info.height) < TINY:
        flags.append("tiny")
    return Row(
        path=path,
        sha256=digest,
        label=label,
        group=digest[:12],
        source=source,
        width=info.width,
        height=info.height,
        mode=info.mode,
        flags=tuple(flags),
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # Python escapes bytes that are not UTF-8 as lone surrogates
        return False
    return True


def _reason(file: Path) -> str:
    try:
        inspect_image(file)
    except UnreadableImageError as error:
        return str(error)
    return f"{file} can be opened, but not decoded."
