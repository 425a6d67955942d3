"""Tumour types, where a cohort names them: the classes of public four-class sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import NO_TYPE, TUMOUR_TYPES, Manifest
from tumorscope.common.errors import InputError

CLASSES = ("no tumour", *TUMOUR_TYPES)
"""Names of the classes of the task "tumour-type", in the order of its scores."""


def type_of_folder(name: str) -> str:
    """Return the tumour type that a class folder's name gives (``glioma_tumor`` …), else ""."""
    plain = "".join(letter for letter in name.lower() if letter.isalpha())
    plain = plain.removesuffix("tumor").removesuffix("tumour")
    return plain if plain in TUMOUR_TYPES else ""


def classes_of(manifest: Manifest) -> NDArray[np.int64]:
    """Return the position in `CLASSES` of every image, int64 (n,).

    Raises
    ------
    InputError
        If a tumour image has no type, or a class has no image.
    """
    unnamed = [row.path for row in manifest.rows if row.label and row.tumour_type in ("", NO_TYPE)]
    if unnamed:
        raise InputError(
            f"{len(unnamed)} of {len(manifest)} images show a tumour of unknown type: "
            f"{', '.join(unnamed[:3])}{' …' if len(unnamed) > 3 else ''}. Expected class folders "
            f"{', '.join(TUMOUR_TYPES)} and notumor, or a manifest with the column tumour_type. "
            'Name the types, leave these images out, or use the task "tumour".'
        )
    found = np.array(
        [CLASSES.index(row.tumour_type) if row.label else 0 for row in manifest.rows],
        dtype=np.int64,
    )
    missing = [name for index, name in enumerate(CLASSES) if index not in found]
    if missing:
        raise InputError(
            f"The cohort has no usable image of the class {', '.join(missing)}. Expected all of "
            f"{', '.join(CLASSES)}. Add images of that class."
        )
    return found
