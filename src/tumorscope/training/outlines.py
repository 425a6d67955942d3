"""Images with outlined lesions → whether a model's evidence lies on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.detection.engines import open_engine
from tumorscope.detection.evidence import evidence_field
from tumorscope.detection.find import find_images
from tumorscope.evaluation.localisation import Localisation, measure, measure_chance
from tumorscope.imaging import Slice, prepare, read_slice
from tumorscope.imaging.thumbprint import COPY, resemblance, thumbprint, units
from tumorscope.model_file.container import ModelFile

MASK = "_mask"

TISSUE = 20
"""Grey value above which a pixel is tissue, where chance may point."""


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where evidence lies, beside chance.

    Attributes
    ----------
    evidence, chance : Localisation
        Of the model's maps, and of maps that know nothing.
    seen : int
        Images that the model was trained on.
    """

    evidence: Localisation
    chance: Localisation
    seen: int


def read_outlined(folder: Path) -> Iterator[tuple[Slice, NDArray[np.bool_]]]:
    """Yield slices and their lesions: NAME.png with NAME_mask.png, anywhere in a folder.

    Images without a mask and masks without a lesion are passed over.

    Raises
    ------
    InputError
        If a mask has another size than its image.
    """
    found = {each.path.stem: each.path for each in find_images([folder])}
    for stem, path in found.items():
        if stem.endswith(MASK) or stem + MASK not in found:
            continue
        scan, mask = read_slice(path), read_slice(found[stem + MASK]).pixels > 127
        if mask.shape != scan.pixels.shape:
            raise InputError(
                f"{found[stem + MASK]} has {mask.shape} pixels, its image {scan.pixels.shape}. "
                "Expected a mask of the image's size, white inside the lesion."
            )
        if mask.any():
            yield scan, mask


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
            "two: images NAME.png with masks NAME_mask.png that are white inside the lesion."
        )
    how = model.metadata.preprocessing.preprocessing
    known = units(model.metadata.seen.unpack())
    engine = open_engine(model)
    fields, seen = [], 0
    for scan, lesion in pairs:
        evidence = engine.run(prepare(scan, how)[None]).evidence[0]
        fields.append(evidence_field(evidence, scan, how, shape=(lesion.shape[0], lesion.shape[1])))
        seen += resemblance(thumbprint(scan), known) >= COPY
    lesions = [lesion for _, lesion in pairs]
    groups = np.arange(len(pairs)).astype(np.str_)
    return Pointing(
        evidence=measure(fields, lesions, groups),
        chance=measure_chance([scan.pixels > TISSUE for scan, _ in pairs], lesions, groups),
        seen=seen,
    )
