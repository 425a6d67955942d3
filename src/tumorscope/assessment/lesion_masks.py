"""Whether a model's evidence lies on the lesions that people have outlined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np

from tumorscope.assessment.ask import ask, prepare_for
from tumorscope.assessment.pointing import Outline, Tally, point_at
from tumorscope.cohort.arrays import BATCH
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.common.progress import say
from tumorscope.detection.engines import open_engine
from tumorscope.detection.seen import SeenImages
from tumorscope.imaging import Slice, prepare, read_slice
from tumorscope.imaging.lesion_mask import Mask, read_mask
from tumorscope.imaging.masks import pair_masks
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.statistics.pointing_game import Pointing

Outlined = tuple[Slice, Mask]
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
    metadata, engine = model.metadata, open_engine(model)
    how, known = metadata.preprocessing.preprocessing, SeenImages(metadata.seen)
    tally, numbers, outlined = Tally(metadata), count(), read_outlined(folder)
    # As many slices at a time as the engine takes: a large folder fits into no memory.
    while batch := list(islice(outlined, BATCH)):
        outputs = engine.run(np.stack([prepare(scan, how) for scan, _ in batch]))
        for evidence, (scan, lesion) in zip(outputs.evidence, batch, strict=True):
            outline = Outline.of(scan, lesion, how)
            seen = bool(known.holds(scan))
            tally.add(evidence, outline, lesion, group=str(next(numbers)), seen=seen)
    found = tally.result()
    if found is None:
        raise InputError(
            f"Found {len(tally)} images with an outlined lesion in {folder}. Expected at least "
            "two: images NAME.png with masks NAME_mask.png beside them, or in a folder masks, that "
            "are white inside the lesion."
        )
    return found


def point_at_masks(model: ModelFile, manifest: Manifest) -> Pointing | None:
    """Measure whether a model's evidence lies on the lesions whose masks a manifest names.

    Returns
    -------
    Pointing or None
        None where images of fewer than two groups have a mask of a lesion. Intervals take the
        groups as the unit.

    Raises
    ------
    InputError
        If a mask is not there, cannot be read, or has another size than its image.
    """
    masked = manifest.having(row for row in manifest.rows if row.mask)
    if len(masked) < 2:
        return None
    prepared = prepare_for(model, masked, outlines=True)
    outputs = ask(open_engine(model), prepared.pixels)
    return point_at(model.metadata, masked, prepared, outputs.evidence)
