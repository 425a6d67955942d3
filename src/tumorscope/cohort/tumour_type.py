"""Tumour types, where a cohort names them: the classes of public four-class sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import NO_TYPE, SPLITS
from tumorscope.common.classes import TUMOUR_TYPES, TYPE_CLASSES
from tumorscope.common.errors import InputError
from tumorscope.common.words import some_of


def type_of_folder(name: str) -> str:
    """Return the tumour type that a class folder's name gives (``glioma_tumor`` …), else "".

    Examples
    --------
    >>> type_of_folder("Glioma_Tumor"), type_of_folder("yes")
    ('glioma', '')
    """
    plain = "".join(letter for letter in name.lower() if letter.isalpha())
    plain = plain.removesuffix("s").removesuffix("tumor").removesuffix("tumour")
    plain = plain.removesuffix("s")
    return plain if plain in TUMOUR_TYPES else ""


def classes_of(manifest: Manifest, *, complete: bool = True) -> NDArray[np.int64]:
    """Return the position in `TYPE_CLASSES` of every image, int64 (n,).

    Parameters
    ----------
    manifest : Manifest
        The images.
    complete : bool
        Whether every class must have an image, as for training.

    Raises
    ------
    InputError
        If a tumour image has no type, or a class has no image where it must have one.
    """
    unnamed = [row.path for row in manifest.rows if row.label and row.tumour_type in ("", NO_TYPE)]
    if unnamed:
        raise InputError(
            f"{len(unnamed)} of {len(manifest)} images show a tumour of unknown type: "
            f"{some_of(unnamed)}. Expected class folders "
            f"{', '.join(TUMOUR_TYPES)} and notumor, or a manifest with the column tumour_type. "
            'Name the types, leave these images out, or use the task "tumour".'
        )
    found = np.array(
        [TYPE_CLASSES.index(row.tumour_type) if row.label else 0 for row in manifest.rows],
        dtype=np.int64,
    )
    missing = [name for index, name in enumerate(TYPE_CLASSES) if index not in found]
    if complete and missing:
        raise InputError(
            f"The cohort has no usable image of the class {', '.join(missing)}. Expected all of "
            f"{', '.join(TYPE_CLASSES)}. Add images of that class."
        )
    return found


def strata_of(manifest: Manifest) -> NDArray[np.int64]:
    """Return what a split is to balance, from 0, int64 (n,): the label, and types where known.

    Without types it is the label. A tumour of unknown type is a stratum beside the types.
    """
    kinds = [row.tumour_type for row in manifest.rows if row.label]
    there = [kind for kind in (*TUMOUR_TYPES, "") if kind in kinds]
    return np.array(
        [1 + there.index(row.tumour_type) if row.label else 0 for row in manifest.rows],
        dtype=np.int64,
    )


def types_by_split(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Return the images of each type that the cohort has, by split; {} where it has none."""
    rows = [row for row in manifest.usable.rows if row.split]
    there = [kind for kind in TUMOUR_TYPES if any(row.tumour_type == kind for row in rows)]
    return {
        split: {
            kind: sum(row.split == split and row.tumour_type == kind for row in rows)
            for kind in there
        }
        for split in SPLITS
        if there and any(row.split == split for row in rows)
    }


def types_missing(manifest: Manifest) -> dict[str, list[str]]:
    """Return which types of the cohort each split lacks; only splits that lack some."""
    lacking = {
        split: [kind for kind, count in counts.items() if not count]
        for split, counts in types_by_split(manifest).items()
    }
    return {split: kinds for split, kinds in lacking.items() if kinds}
