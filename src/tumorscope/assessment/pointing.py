"""Where a model's evidence lies, tallied image by image, so that no map is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.detection.evidence import field_at, temperature_of
from tumorscope.imaging import Preprocessing, Slice
from tumorscope.imaging.lesion_mask import Mask, read_mask
from tumorscope.imaging.preprocess import Placement, placement
from tumorscope.model_file.schema import Metadata
from tumorscope.statistics.pointing_game import (
    Pointing,
    localisation,
    mass_inside,
    points_at,
    tissue_inside,
)

TISSUE = 20
"""Grey value above which a pixel is tissue; chance points at tissue only."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What has to be known of a slice with a lesion once its pixels are gone.

    Attributes
    ----------
    place : Placement
        Of the slice in the network input.
    sides : tuple of int
        Its height and width.
    chance : float
        The lesion's share of the tissue.
    """

    place: Placement
    sides: tuple[int, int]
    chance: float

    @classmethod
    def of(cls, scan: Slice, lesion: Mask, how: Preprocessing) -> Outline:
        """Return that of a slice, for a model's preprocessing."""
        sides = (scan.pixels.shape[0], scan.pixels.shape[1])
        return cls(placement(scan, how), sides, tissue_inside(scan.pixels > TISSUE, lesion))


class Tally:
    """Counts how evidence lies on lesions, one image after the other."""

    def __init__(self, metadata: Metadata) -> None:
        self._size = metadata.preprocessing.preprocessing.size
        self._temperature = temperature_of(metadata)
        self._found: list[tuple[float, float, float]] = []
        self._groups: list[str] = []
        self._seen = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(
        self,
        evidence: NDArray[np.float32],
        outline: Outline,
        lesion: Mask,
        *,
        group: str,
        seen: bool,
    ) -> None:
        """Count one image by its evidence map (h, w); the lesion holds at least one pixel."""
        field = field_at(
            outline.place,
            evidence,
            outline.sides,
            self._size,
            shape=outline.sides,
            temperature=self._temperature,
        )
        hit = float(points_at(field, lesion))
        self._found.append((hit, mass_inside(field, lesion), outline.chance))
        self._groups.append(group)
        self._seen += seen

    def result(self) -> Pointing | None:
        """Return what was found; None of fewer than two groups, as these give no interval."""
        if len(set(self._groups)) < 2:
            return None
        groups, (hits, mass, chance) = np.array(self._groups), np.array(self._found).T
        return Pointing(
            evidence=localisation(hits, mass, groups),
            chance=localisation(chance, chance, groups),
            seen=self._seen,
        )


class Looked(Protocol):
    """Images that were read once, in the order of their manifest."""

    @property
    def outlines(self) -> Sequence[Outline | None]:
        """Of each image; None where no lesion is outlined."""
        ...

    @property
    def seen(self) -> NDArray[np.bool_] | None:
        """Which the model knows from training; None where nobody can tell."""
        ...


def point_at(
    metadata: Metadata, manifest: Manifest, looked: Looked, evidence: NDArray[np.float32]
) -> Pointing | None:
    """Measure whether evidence maps (n, h, w) lie on the lesions that a manifest's masks outline.

    The images are not read again, only their masks.

    Returns
    -------
    Pointing or None
        None where images of fewer than two groups have a mask of a lesion.
    """
    tally = Tally(metadata)
    for index, (row, outline) in enumerate(zip(manifest.rows, looked.outlines, strict=True)):
        mask = manifest.mask_file(row)
        if outline is None or mask is None:
            continue
        lesion = read_mask(mask, outline.sides)
        seen = looked.seen is not None and bool(looked.seen[index])
        tally.add(evidence[index], outline, lesion, group=row.group, seen=seen)
    return tally.result()
