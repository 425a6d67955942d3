"""Class folders → `Manifest` rows, before duplicates are looked for."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from tumorscope.cohort.class_folders import find_classes, label_of_folder
from tumorscope.cohort.manifest import Manifest, portable_path
from tumorscope.cohort.patient_folders import patient_of
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan_notes import ScanNotes
from tumorscope.common.errors import InputError, UnreadableImageError
from tumorscope.common.files import sha256_of
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.imaging.read import IMAGE_SUFFIXES, inspect_image

__all__ = ["TINY", "label_of_folder", "scan_folder"]

CLASS_NAMES = ("no tumour", "tumour")

TINY = 64
"""Images with an edge under this many pixels are flagged: 224 × 224 made from them is guesswork."""


def scan_folder(data: str | Path, *, source: str | None = None) -> Manifest:
    """List the images of a folder of class folders; one row per file, readable or not.

    What is an image is decided as for every command (`tumorscope.imaging.find.images_below`), and
    everything passed over is counted in the notes of the manifest. Images in a patient's folder
    (``yes/P07``) are one group; every other image is a group of its own here, and
    `tumorscope.auditing.audit` joins duplicates.

    Parameters
    ----------
    data : path
        A folder with class folders, such as ``yes/`` and ``no/``; searched to any depth below
        those. Class folders may also lie one folder deeper, as in ``Training/yes/``;
        such parts are joined, because they were seldom made by group.
    source : str, optional
        Name of the cohort; the folder's name by default.

    Raises
    ------
    InputError
        If it is no folder, or no class folder or image is found; if the folders above an image
        name both classes; or a file's name is not UTF-8.
    """
    root = Path(data)
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder. Expected a folder with class folders such as yes/ and no/, "
            "or a manifest written by `tumorscope audit`."
        )
    passed = PassedOver(root=root)
    classes, images = find_classes(root, passed)
    if not images:
        raise InputError(
            " ".join(
                [
                    f"{root} has class folders ({', '.join(classes)}) but no images in them. "
                    f"Expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}.",
                    *passed.words(),
                ]
            )
        )
    name = source or root.absolute().name
    rows = [
        replace(_row(filed.path, root, filed.label, name), tumour_type=filed.tumour_type)
        for filed in images
    ]
    patients, others = patient_of(
        {row.path: filed.folders for row, filed in zip(rows, images, strict=True)},
        {row.path: row.label for row in rows},
    )
    rows = [
        replace(row, group=patients.get(row.path, row.group)) if row.usable else row for row in rows
    ]
    if not any(row.usable for row in rows):
        raise InputError(
            f"None of the {len(rows)} image files in {root} can be read. First of them: "
            f"{_reason(root / rows[0].path)}"
        )
    taken = [patients[row.path] for row in rows if row.usable and row.path in patients]
    one = len({row.label for row in rows}) < 2
    notes = ScanNotes(
        passed_over=passed,
        patients=tuple(sorted(set(taken))),
        patient_images=len(taken),
        other_folders=others,
        only_class=CLASS_NAMES[rows[0].label] if one else "",
    )
    return Manifest(tuple(rows), root, notes=notes)


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
