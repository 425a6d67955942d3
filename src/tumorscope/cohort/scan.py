"""Class folders → `Manifest` rows: first listed, then with what their files say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tumorscope.cohort.class_folders import Filed, find_classes
from tumorscope.cohort.manifest import Manifest, portable_path
from tumorscope.cohort.masks import settle_masks, with_masks_beside
from tumorscope.cohort.patient_folders import patient_of
from tumorscope.cohort.row import FLAGS, Row
from tumorscope.cohort.scan_notes import ScanNotes
from tumorscope.common.classes import CLASSES
from tumorscope.common.errors import InputError, UnreadableImageError
from tumorscope.imaging.kinds import IMAGE_SUFFIXES
from tumorscope.imaging.opening import ImageInfo, read_header
from tumorscope.imaging.passed_over import PassedOver

TINY = 64
"""Images with an edge under this many pixels are flagged: 224 × 224 made from them is guesswork."""


def scan_folder(data: str | Path) -> Manifest:
    """List the images of a folder of class folders, and read their headers.

    One row per file, readable or not, each a group of its own unless it lies in a patient's folder;
    `tumorscope.audit` joins duplicates.

    Parameters
    ----------
    data : path
        See `list_cohort`.

    Raises
    ------
    InputError
        As `list_cohort` does; or if no image can be read.

    Examples
    --------
    >>> from tumorscope.synthetic.phantom import write_phantom_cohort
    >>> write_phantom_cohort("scans", n=4, seed=1)
    >>> [(row.path, row.label) for row in scan_folder("scans").rows][1:3]
    [('no/slice00002.png', 0), ('yes/slice00001.png', 1)]
    """
    listed = list_cohort(data)
    reason = ""
    rows = []
    for row in listed.rows:
        try:
            header = read_header(listed.file(row))
        except UnreadableImageError as error:
            reason = reason or str(error)
            rows.append(as_unreadable(row))
        else:
            rows.append(as_read(row, header.info, header.sha256))
    check_readable(listed, rows, reason)
    return settle_masks(having_read(listed, rows))


def list_cohort(data: str | Path) -> Manifest:
    """List the images of a folder of class folders, without opening them.

    What is an image is decided as for every command (`tumorscope.imaging.find.images_below`), and
    everything passed over is counted in the notes of the manifest. Images in a patient's folder
    (``yes/P07``) are one group. The folder's name is their source. The rows know no hash yet:
    `as_read` and `as_unreadable` add what the files say.

    Parameters
    ----------
    data : path
        A folder with class folders, such as ``yes/`` and ``no/``; searched to any depth below
        those. Class folders may also lie one folder deeper, as in ``Training/yes/``;
        such parts are joined, because they were seldom made by group.

    Raises
    ------
    InputError
        If it is not a folder, or holds no class folder or image; if the folders above an image
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
    rows = [_listed(filed, root) for filed in images]
    patients, others = patient_of(
        {row.path: filed.folders for row, filed in zip(rows, images, strict=True)},
        {row.path: row.label for row in rows},
    )
    notes = ScanNotes(
        passed_over=passed,
        patients=tuple(sorted(set(patients.values()))),
        patient_images=len(patients),
        other_folders=others,
        only_class=CLASSES[rows[0].label] if len({row.label for row in rows}) < 2 else "",
    )
    grouped = (replace(row, group=patients.get(row.path, row.group)) for row in rows)
    return with_masks_beside(Manifest(tuple(grouped), root, notes=notes))


def as_read(row: Row, info: ImageInfo, sha256: str, *, coloured: bool = False) -> Row:
    """Return a row with what its file says: hash, size, mode, and flags of its own."""
    held = {
        "disguised": info.disguised,
        "colour": coloured,
        "tiny": min(info.width, info.height) < TINY,
    }
    # Every readable row of a manifest has a hash, so this one was only listed.
    listed = not row.sha256 and row.usable and row.group == _alone(row.path)
    return replace(
        row,
        sha256=sha256,
        group=sha256[:12] if listed else row.group,
        width=info.width,
        height=info.height,
        mode=info.mode,
        flags=tuple(flag for flag in FLAGS if held.get(flag)),
    )


def as_unreadable(row: Row) -> Row:
    """Return a row of a file that cannot be read: what its header said is not to be trusted."""
    return replace(row, width=0, height=0, mode="", flags=("unreadable",))


def having_read(listed: Manifest, rows: Iterable[Row]) -> Manifest:
    """Return the cohort with its rows as their files are.

    What cannot be read has no content to be grouped by: it leaves its patient's folder, and its
    path names its group.
    """
    patients = set(listed.notes.patients)
    rows = tuple(
        replace(row, group=_alone(row.path))
        if row.group in patients and not row.usable and not row.sha256
        else row
        for row in rows
    )
    taken = [row.group for row in rows if row.usable and row.group in patients]
    notes = replace(listed.notes, patients=tuple(sorted(set(taken))), patient_images=len(taken))
    return replace(listed, rows=rows, notes=notes)


def check_readable(cohort: Manifest, rows: Iterable[Row], reason: str) -> None:
    """Refuse a cohort in which no image can be read; `reason` is why the first of them cannot.

    Raises
    ------
    InputError
        If none is usable.
    """
    if not any(row.usable for row in rows):
        raise InputError(
            f"None of the {len(cohort)} image files in {cohort.root} can be read. First of them: "
            f"{reason}"
        )


def _listed(filed: Filed, root: Path) -> Row:
    path = portable_path(filed.path, root)
    try:
        path.encode()
    except UnicodeEncodeError as error:  # bytes that are not UTF-8 are lone surrogates
        raise InputError(
            f"The name of the file {path.encode(errors='surrogateescape')!r} in {root} is not "
            "UTF-8, so no manifest or report can name it. Expected names in UTF-8. Rename it."
        ) from error
    source, kind = root.absolute().name, filed.tumour_type
    return Row(path, "", filed.label, _alone(path), source=source, tumour_type=kind)


def _alone(path: str) -> str:
    """Return the name of a group of which nothing is known but the path of its one image."""
    return f"u{hashlib.sha256(path.encode()).hexdigest()[:12]}"
