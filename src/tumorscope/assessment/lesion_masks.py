"""Whether a model's evidence lies on the lesions that people have outlined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import ask
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.common.progress import say
from tumorscope.detection.engines import open_engine
from tumorscope.detection.evidence import evidence_field, temperature_of
from tumorscope.detection.seen import SeenImages
from tumorscope.imaging import Slice, prepare, read_slice
from tumorscope.imaging.lesion_mask import read_mask
from tumorscope.imaging.masks import pair_masks
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.statistics.pointing_game import (
    Pointing,
    measure_pointing,
    measure_pointing_by_chance,
)

TISSUE = 20
"""Grey value above which a pixel is tissue; chance points at tissue only."""


Outlined = tuple[Slice, NDArray[np.bool_]]
"""A slice and its lesion."""


def read_outlined(folder: Path) -> Iterator[Outlined]:
    """Yield slices and their lesions, paired as `tumorscope.imaging.masks.pair_masks` says.

    Images without a mask and masks without an image are passed over, which is said; so are masks
    without a lesion.

    Raises
    ------
    InputError
        If a mask fits several images, or has another size than its image.
    """
    found = pair_masks(folder)
    for paths, what in (
        (found.without_mask, "images have no mask"),
        (found.without_image, "masks have no image"),
    ):
        _say_left_out(folder, paths, what)
    empty = []
    for path, masks in found.pairs:
        scan = read_slice(path)
        lesion = np.zeros(scan.pixels.shape, dtype=np.bool_)
        for mask in masks:
            lesion |= read_mask(mask, lesion.shape)
        if lesion.any():
            yield scan, lesion
        else:
            empty.append(path)
    _say_left_out(folder, empty, "images have masks that outline no lesion")


def _say_left_out(folder: Path, paths: Sequence[Path], what: str) -> None:
    if paths:
        named = ", ".join(printable(path.relative_to(folder)) for path in paths[:3])
        more = " …" if len(paths) > 3 else ""
        say(f"Left out of {printable(folder)}: {len(paths)} {what}: {named}{more}.")


def point_at_outlines(model: ModelFile, folder: Path) -> Pointing:
    """Measure whether a model's evidence lies on outlined lesions.

    Raises
    ------
    InputError
        If the folder holds fewer than two images with an outlined lesion.
    """
    pairs = list(read_outlined(folder))
    if len(pairs) < 2:
        raise InputError(
            f"Found {len(pairs)} images with an outlined lesion in {folder}. Expected at least "
            "two: images NAME.png with masks NAME_mask.png beside them, or in a folder masks, that "
            "are white inside the lesion."
        )
    return _pointing(model, pairs, np.arange(len(pairs)).astype(np.str_))


def point_at_masks(model: ModelFile, manifest: Manifest) -> Pointing | None:
    """Measure whether a model's evidence lies on the lesions whose masks a manifest names.

    Returns
    -------
    Pointing or None
        None where fewer than two images have a mask of a lesion. Intervals take the groups as the
        unit.

    Raises
    ------
    InputError
        If a mask is not there, cannot be read, or has another size than its image.
    """
    pairs: list[Outlined] = []
    groups = []
    for row in manifest.rows:
        mask = manifest.mask_file(row)
        if mask is None:
            continue
        scan = read_slice(manifest.file(row))
        lesion = read_mask(mask, scan.pixels.shape)
        if lesion.any():
            pairs.append((scan, lesion))
            groups.append(row.group)
    return _pointing(model, pairs, np.array(groups)) if len(pairs) > 1 else None


def _pointing(model: ModelFile, pairs: Sequence[Outlined], groups: NDArray[np.str_]) -> Pointing:
    how = model.metadata.preprocessing.preprocessing
    known = SeenImages(model.metadata.seen)
    outputs = ask(open_engine(model), np.stack([prepare(scan, how) for scan, _ in pairs]))
    lesions = [lesion for _, lesion in pairs]
    temperature = temperature_of(model.metadata)
    fields = [
        evidence_field(
            evidence,
            scan,
            how,
            shape=(lesion.shape[0], lesion.shape[1]),
            temperature=temperature,
        )
        for evidence, (scan, lesion) in zip(outputs.evidence, pairs, strict=True)
    ]
    return Pointing(
        evidence=measure_pointing(fields, lesions, groups),
        chance=measure_pointing_by_chance(
            [scan.pixels > TISSUE for scan, _ in pairs], lesions, groups
        ),
        seen=sum(bool(known.holds(scan)) for scan, _ in pairs),
    )
