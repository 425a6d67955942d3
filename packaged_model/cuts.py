"""Coronal and sagittal cuts of volumes: brains that the input check learns from beside images.

Sources of images hold few such slices, and those from the middle of the head. A check that has
seen no others refuses what a series shows of temporal and occipital lobes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packaged_model.listed_volumes import ListedVolume, listed_volumes, planes_of
from tumorscope.detection.looking import FINEST
from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.scans import Plane, ScanSlice, read_nifti, thinned_volume, views
from tumorscope.scans.head import HEAD_AREA, head_area

MOST = 40
"""Cuts of one source and plane. More let more brains pass, and more abdomens too."""

WITHIN = 0.4
"""Share of the largest slice of a plane from which on a slice shows brain, not only face or skull.

Chosen by eye, on the ends of four volumes.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A slice that shows brain, of a volume along a plane in which it was not acquired."""

    volume: ListedVolume
    plane: Plane
    slice: Slice = field(repr=False)


def read_cuts(data: Path) -> list[Cut]:
    """Return the coronal and sagittal cuts of tumour-free volumes, as `predict` makes them.

    Those with a tumour are left out: each is a result of its own, and with them abdomens pass.
    """
    found = []
    for listed in listed_volumes(data):
        if listed.label:
            continue
        volume = next(read_nifti(data / listed.path))
        planes = planes_of(volume)
        for plane in (each for each in planes if len(planes) > 1 and each != "axial"):
            scans = list(views(thinned_volume(volume, FINEST, plane), plane, every=FINEST))
            found += [Cut(listed, plane, scan.slice) for scan in _showing_brain(scans)]
    return found


def _showing_brain(scans: Sequence[ScanSlice]) -> list[ScanSlice]:
    areas = [head_area(scan) for scan in scans]
    least = max(HEAD_AREA, WITHIN * max(areas, default=0.0))
    return [scan for scan, area in zip(scans, areas, strict=True) if area >= least]


def without(cuts: Sequence[Cut], names: Collection[str]) -> list[Cut]:
    """Return the cuts of people of whom no volume is of a source or subject among some names."""
    gone = {each.volume.subject for each in cuts if each.volume.of_subject_or_source(names)}
    return [each for each in cuts if each.volume.subject not in gone]


def prepared(
    cuts: Sequence[Cut], sources: Collection[str], how: Preprocessing
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Return at most `MOST` cuts of each source and plane, prepared, and the source of each.

    Parameters
    ----------
    cuts : sequence of Cut
        To choose from.
    sources : collection of str
        As the manifest names them; a cut that belongs to one of them has its name.
    how : Preprocessing
        Of the model.

    Returns
    -------
    pixels : ndarray of uint8, shape (n, size, size)
    sources : ndarray of str, shape (n,)
    """
    kinds = np.array([f"{each.volume.source} {each.plane}" for each in cuts])
    generator = np.random.default_rng(0)
    places = [
        place
        for kind in np.unique(kinds)
        for place in generator.permutation(np.flatnonzero(kinds == kind))[:MOST]
    ]
    pixels = np.empty((len(places), how.size, how.size), np.uint8)
    for index, place in enumerate(places):
        pixels[index] = prepare(cuts[place].slice, how)
    names = [
        next(iter(cuts[place].volume.names & set(sources)), cuts[place].volume.source)
        for place in places
    ]
    return pixels, np.array(names, dtype=np.str_)
