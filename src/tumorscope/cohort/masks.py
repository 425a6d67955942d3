"""Masks of a cohort's lesions: found beside the images of a folder, and checked by reading them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
    it is the one tumour among them. Tumours with several masks stay without, which is said.
    """
    if not {"mask", "mask-alone"} & cohort.notes.passed_over.counts.keys():
        return cohort
    found = find_pairs(cohort.root)
    tumours = {row.path for row in cohort.rows if row.label}
    masks: dict[str, list[Path]] = {}
    for image, those in found.pairs:
        masks.setdefault(portable_path(image, cohort.root), []).extend(those)
    for mask, images in found.ambiguous:
        fits = tumours & {portable_path(image, cohort.root) for image in images}
        if len(fits) == 1:
            masks.setdefault(fits.pop(), []).append(mask)
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
    """Read the masks of a cohort, and say which outline nothing.

    Masks that a manifest names must be usable; of those that were found in a folder, the others
    are left out, which is said.

    Raises
    ------
    InputError
        If masks that a manifest names are not there, cannot be read, or have another size than
        their images.
    """
    rows = [row for row in cohort.rows if row.mask and row.usable]
    if not rows:
        return cohort
    problems = in_threads(lambda row: _problem(cohort, row), rows, "Reading masks")
    named = cohort.form.path is not None
    bad = {row.path: why for row, why in zip(rows, problems, strict=True) if why and why != EMPTY}
    empty = [row.mask for row, why in zip(rows, problems, strict=True) if why == EMPTY]
    if empty:
        say(
            f"{counted(len(empty), 'mask outlines', 'masks outline')} no lesion "
            f"({some_of(empty)}): no pixel is brighter than {WHITE} of 255. Where these lesions "
            "are counts as unknown."
        )
    if bad:
        words = f"{len(bad)} of {len(rows)} masks cannot be used: {_some_reasons(bad)}."
        if named:
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
            f"{len(gone)} masks of the manifest do not exist: {some_of(gone)}. Expected a file for "
            "each path in the column mask, as the recipe trains on places. Put them back, or leave "
            "the column empty where no mask is known."
        )
    for row, file in masks:
        yield row.sha256, sha256_of(file)


EMPTY = "empty"


def _problem(cohort: Manifest, row: Row) -> str:
    """Return why a mask cannot be used; `EMPTY` where it outlines nothing, "" where it can."""
    file = cohort.mask_file(row)
    assert file is not None
    if not file.is_file():
        return "there is no such file"
    try:
        mask = read_slice(file).pixels
    except UnreadableImageError as error:
        return str(error)
    height, width = mask.shape
    # What EXIF says of turns is asked when image and mask are read together.
    if sorted(mask.shape) != sorted((row.height, row.width)):
        return f"it is {width} × {height} pixels, its image {row.width} × {row.height}"
    return "" if (mask > WHITE).any() else EMPTY


def _some_reasons(bad: dict[str, str]) -> str:
    return some_of(
        [f"that of {path} ({why.rstrip('.')})" for path, why in bad.items()], between="; "
    )
