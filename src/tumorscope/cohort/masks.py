"""Masks of a cohort's lesions: found beside the images of a folder, and checked by reading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest, portable_path
from tumorscope.cohort.row import Row
from tumorscope.common.cores import in_threads
from tumorscope.common.errors import InputError, UnreadableImageError
from tumorscope.common.files import sha256_of
from tumorscope.common.progress import say
from tumorscope.common.words import counted, some_of
from tumorscope.imaging.lesion_mask import WHITE
from tumorscope.imaging.masks import find_pairs
from tumorscope.imaging.read import read_slice


def with_masks_beside(cohort: Manifest) -> Manifest:
    """Return the cohort of a folder that was listed, each tumour with the mask that belongs to it.

    Which that is decides `tumorscope.imaging.masks.pair_masks`; where a mask fits several images,
    it is the one tumour among them. Tumours with several masks stay without, and so do those that
    share one with another tumour, which is said.
    """
    if not {"mask", "mask-alone"} & cohort.notes.passed_over.counts.keys():
        return cohort
    found = find_pairs(cohort.root)
    tumours = {row.path for row in cohort.rows if row.label}
    masks: dict[str, list[Path]] = {}
    for image, those in found.pairs:
        masks.setdefault(portable_path(image, cohort.root), []).extend(those)
    unclear = []
    for mask, images in found.ambiguous:
        fits = tumours & {portable_path(image, cohort.root) for image in images}
        if len(fits) == 1:
            masks.setdefault(fits.pop(), []).append(mask)
        elif fits:
            unclear.append(portable_path(mask, cohort.root))
    if unclear:
        say(
            f"{counted(len(unclear), 'mask fits', 'masks fit')} several images with a tumour "
            f"({some_of(unclear)}): where their lesions are counts as unknown. Put masks beside "
            "their images, or in a folder masks that holds the same folders as that of the images."
        )
    several = [path for path, those in masks.items() if len(those) > 1 and path in tumours]
    if several:
        say(
            f"{counted(len(several), 'image has', 'images have')} several masks "
            f"({some_of(several)}): where their lesions are counts as unknown. Paint the masks of "
            "an image into one picture."
        )
    return cohort.having(
        replace(row, mask=portable_path(masks[row.path][0], cohort.root))
        if row.label and len(masks.get(row.path, ())) == 1
        else row
        for row in cohort.rows
    )


def settle_masks(cohort: Manifest) -> Manifest:
    """Read the masks of a cohort, and say which are to be doubted; see `DOUBTS`.

    Masks that a manifest names must be usable; of those that were found in a folder, the others
    are left out, which is said.

    Raises
    ------
    InputError
        If masks that a manifest names are not there, cannot be read, or have another size than
        their images.
    """
    found = _problems(cohort)
    for doubt, (one, several, words) in DOUBTS.items():
        doubted = [row.mask for row, why in found if why == doubt]
        if doubted:
            say(f"{counted(len(doubted), one, several)} ({some_of(doubted)}): {words}")
    return _left_out(cohort, found, refuse=cohort.form.path is not None)


def with_usable_masks(cohort: Manifest) -> Manifest:
    """Return a cohort that was settled before, without masks that are gone or changed since.

    Which these are is said.
    """
    return _left_out(cohort, _problems(cohort), refuse=False)


Found = list[tuple[Row, str]]
"""Rows with masks, and why each cannot be used or is to be doubted; "" for neither."""


def _problems(cohort: Manifest) -> Found:
    rows = [row for row in cohort.rows if row.mask and row.usable]
    if not rows:
        return []
    problems = in_threads(lambda row: _problem(cohort, row), rows, "Reading masks")
    return list(zip(rows, problems, strict=True))


def _left_out(cohort: Manifest, found: Found, *, refuse: bool) -> Manifest:
    bad = {row.path: why for row, why in found if why and why not in DOUBTS}
    if not bad:
        return cohort
    words = f"{len(bad)} of {len(found)} masks cannot be used: {_some_reasons(bad)}."
    if refuse:
        raise InputError(
            f"{words} Expected for each a picture of the size of its image, white inside the "
            "lesion. Correct the column mask, or leave it empty where no mask is known."
        )
    say(f"{words} Where these lesions are counts as unknown.")
    return cohort.having(replace(row, mask="") if row.path in bad else row for row in cohort.rows)


def mask_hashes(cohort: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the hash of each image with a mask, and that of its mask.

    Raises
    ------
    InputError
        If a mask is not there.
    """
    masks = [(row, file) for row in cohort.rows if (file := cohort.mask_file(row)) is not None]
    gone = [row.mask for row, file in masks if not file.is_file()]
    if gone:
        raise InputError(
            f"{counted(len(gone), 'mask')} of the manifest cannot be found: {some_of(gone)}. "
            "Expected a file for each path in the column mask, as the recipe trains on places. Put "
            "them back, or leave the column empty where no mask is known."
        )
    for row, file in masks:
        yield row.sha256, sha256_of(file)


DOUBTS: Mapping[str, tuple[str, str, str]] = {
    "empty": (
        "mask outlines no lesion",
        "masks outline no lesion",
        f"no pixel is brighter than {WHITE} of 255. Where these lesions are counts as unknown.",
    ),
    "grey": (
        "mask has grey areas",
        "masks have grey areas",
        f"what is not brighter than {WHITE} of 255 counts as outside. If each grey stands for a "
        "tissue, paint all that belong to the lesion white.",
    ),
    "large": (
        "mask covers more than half of its image",
        "masks cover more than half of their images",
        "white is the lesion, black all else. If it is the other way round, invert them.",
    ),
}
"""What is odd about a mask → what one is called, what several are, and what follows."""

GREY = (32, 224)
"""Greys between these are neither black nor white."""


def _problem(cohort: Manifest, row: Row) -> str:
    """Return why a mask cannot be used, or which of `DOUBTS` there is; "" for neither."""
    file = cohort.mask_file(row)
    assert file is not None
    if not file.is_file():
        return "there is no such file"
    height, width = row.height, row.width
    try:
        mask = read_slice(file).pixels
        # Which of them is which depends on how EXIF says it lies; manifests need not name them.
        if height != width or not height:
            height, width = read_slice(cohort.file(row)).pixels.shape
    except UnreadableImageError as error:
        return str(error)
    if mask.shape != (height, width):
        return f"it is {mask.shape[1]} × {mask.shape[0]} pixels, its image {width} × {height}"
    return _doubt(mask)


def _doubt(mask: NDArray[np.uint8]) -> str:
    inside = np.count_nonzero(mask > WHITE)
    if not inside:
        return "empty"
    # Soft edges are grey too, but no area of one grey.
    around = np.ones((3, 3), np.uint8)
    flat = cv2.absdiff(cv2.dilate(mask, around), cv2.erode(mask, around)) < GREY[0] // 4
    grey = np.count_nonzero(flat & (mask > GREY[0]) & (mask < GREY[1]))
    if grey > inside / 10:
        return "grey"
    return "large" if inside > mask.size / 2 else ""


def _some_reasons(bad: dict[str, str]) -> str:
    return some_of(
        [f"that of {path} ({why.rstrip('.')})" for path, why in bad.items()], between="; "
    )
