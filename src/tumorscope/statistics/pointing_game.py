"""Does the evidence lie on the lesion? Measured against outlines, beside chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics import Interval
from tumorscope.statistics.intervals import over_groups

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Localisation:
    """How well maps point at lesions.

    Attributes
    ----------
    n : int
        Images with an outline.
    hits : Interval
        Pointing game (Zhang et al., *Top-down neural attention*, ECCV 2016), without tolerance:
        share of images whose largest value lies inside the outline.
    mass : Interval
        Mean share of the positive values inside the outline.
    """

    n: int
    hits: Interval
    mass: Interval


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

    def to_json(self) -> dict[str, object]:
        """Return ``n``, ``seen``, and ``hits`` and ``mass`` of ``evidence`` and ``chance``."""
        return {
            "n": self.evidence.n,
            "seen": self.seen,
            **{
                name: {"hits": of.hits.to_json(), "mass": of.mass.to_json()}
                for name, of in (("evidence", self.evidence), ("chance", self.chance))
            },
        }


def points_at(field: Field, lesion: Mask) -> bool:
    """Return whether the largest value of a map lies inside the outline.

    Examples
    --------
    >>> import numpy as np
    >>> lesion = np.array([[False, True], [False, False]])
    >>> points_at(np.array([[0.1, 0.9], [0.2, 0.0]], np.float32), lesion)
    True
    """
    return bool(lesion.flat[int(np.argmax(field))])


def mass_inside(field: Field, lesion: Mask) -> float:
    """Return the share of a map's positive values inside the outline; 0 where it has none.

    Examples
    --------
    >>> import numpy as np
    >>> lesion = np.array([[False, True], [False, False]])
    >>> mass_inside(np.array([[0.25, 0.75], [-1.0, 0.0]], np.float32), lesion)
    0.75
    """
    positive = np.maximum(field, 0.0)
    total = float(positive.sum())
    return float(positive[lesion].sum()) / total if total > 0 else 0.0


def tissue_inside(tissue: Mask, lesion: Mask) -> float:
    """Return the lesion's share of the tissue: what a map that knows nothing would reach.

    Examples
    --------
    >>> import numpy as np
    >>> lesion = np.array([[False, True], [False, False]])
    >>> tissue_inside(np.array([[True, True], [False, False]]), lesion)
    0.5
    """
    return float((tissue & lesion).sum()) / max(1, int(tissue.sum()))


def measure_pointing(
    fields: Sequence[Field],
    lesions: Sequence[Mask],
    groups: NDArray[np.str_],
    *,
    n_resamples: int = 2000,
) -> Localisation:
    """Measure maps against outlines.

    For chance, pass maps that are 1 on tissue and 0 elsewhere to `measure_pointing_by_chance`.

    Parameters
    ----------
    fields : sequence of ndarray of float32, shape (height, width)
        Positive towards tumour.
    lesions : sequence of ndarray of bool, shape (height, width)
        True inside the outline; each holds at least one pixel.
    groups : ndarray of str, shape (n,)
        Copies of one picture, or slices of one patient, for the intervals.
    n_resamples : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If numbers or shapes do not fit, an outline is empty, or all are of one group.
    """
    _check(fields, lesions, groups)
    pairs = list(zip(fields, lesions, strict=True))
    hits = np.array([points_at(field, lesion) for field, lesion in pairs], dtype=np.float64)
    mass = np.array([mass_inside(field, lesion) for field, lesion in pairs])
    return localisation(hits, mass, groups, n_resamples=n_resamples)


def measure_pointing_by_chance(
    tissues: Sequence[Mask],
    lesions: Sequence[Mask],
    groups: NDArray[np.str_],
    *,
    n_resamples: int = 2000,
) -> Localisation:
    """Return what a map that knows nothing would reach: a point, or mass, anywhere on tissue.

    Both expectations are the lesion's share of the tissue.

    Raises
    ------
    InputError
        As for `measure_pointing`.
    """
    _check(tissues, lesions, groups)
    share = np.array(
        [tissue_inside(tissue, lesion) for tissue, lesion in zip(tissues, lesions, strict=True)]
    )
    return localisation(share, share, groups, n_resamples=n_resamples)


def _check(
    maps: Sequence[NDArray[np.generic]], lesions: Sequence[Mask], groups: NDArray[np.str_]
) -> None:
    if not len(maps) == len(lesions) == len(groups) > 0:
        raise InputError(
            f"Received {len(maps)} maps, {len(lesions)} outlines and {len(groups)} groups. "
            "Expected the same number of each, at least one."
        )
    for index, (field, lesion) in enumerate(zip(maps, lesions, strict=True)):
        if field.shape != lesion.shape or not lesion.any():
            raise InputError(
                f"Outline {index} has shape {lesion.shape} and {int(lesion.sum())} pixels inside, "
                f"its map shape {field.shape}. Expected the same shape, and an outline that holds "
                "something. Leave images without an outline out."
            )


def localisation(
    hits: NDArray[np.float64],
    mass: NDArray[np.float64],
    groups: NDArray[np.str_],
    *,
    n_resamples: int = 2000,
) -> Localisation:
    """Return the means of what was measured image by image, with intervals over groups.

    Parameters
    ----------
    hits, mass : ndarray of float64, shape (n,)
        `points_at` and `mass_inside` of each image, or what chance expects of both.
    groups : ndarray of str, shape (n,)
        See `measure_pointing`.
    n_resamples : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If there are fewer than two groups.
    """

    def interval(values: NDArray[np.float64]) -> Interval:
        found = over_groups(
            lambda chosen: float(values[chosen].mean()), groups, n_resamples=n_resamples
        )
        if found is None:
            raise InputError(
                "Received outlines of lesions of one group. Expected two groups at least, because "
                "groups are what intervals count. Outline lesions of more patients."
            )
        return found

    return Localisation(n=len(hits), hits=interval(hits), mass=interval(mass))
