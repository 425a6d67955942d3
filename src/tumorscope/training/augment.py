"""Augmented versions of training images: what they show, how they lie, how they were taken.

The draws depend on (seed, image, version) alone, never on what was drawn before, so a resumed run
and a run on more threads see the same images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing
from tumorscope.imaging.lesion_mask import coverage_of, inside_of
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.acquisition import change_acquisition
from tumorscope.synthetic.content import change_content
from tumorscope.synthetic.picture import Picture
from tumorscope.training.affine import move

Where = Callable[[int], NDArray[np.bool_] | None]
"""From the identity of an image to a mask of it, as far as one is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Varied:
    """Augmented versions of images.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
        Bilinearly resampled once.
    labels : ndarray of int64, shape (n,)
        1 where a lesion was drawn into a tumour-free image.
    lesions : tuple of (ndarray of bool, shape (size, size), or None)
        Where each version shows its lesion; None where it has none, nobody knows, or nobody asked.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    lesions: tuple[NDArray[np.bool_] | None, ...]


def augment(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    ranges: Augmentation,
    *,
    how: Preprocessing,
    seed: int,
    indices: NDArray[np.int64],
    versions: NDArray[np.int64],
    brain: Where | None = None,
    lesion: Where | None = None,
) -> Varied:
    """Return one augmented version of each image.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
        Prepared images.
    labels : ndarray of int64, shape (n,)
        Their labels; 0 is no tumour.
    ranges : Augmentation
        How far each change may go.
    how : Preprocessing
        How the images were prepared.
    seed : int
        Of the run.
    indices : ndarray of int64, shape (n,)
        Identity of each image within the cohort: the same identity, seed and version number give
        the same picture.
    versions : ndarray of int64, shape (n,)
        Which version of each.
    brain : callable
        From an identity to where its brain is, if known.
    lesion : callable
        From an identity to where its lesion is, if known. Given, lesions move with their pictures;
        the pictures are the same without.
    """
    found = [
        _version(
            Picture(
                pixels[position],
                tumour=bool(labels[position]),
                lesion=_coverage(lesion, int(index)),
            ),
            ranges,
            [seed, int(index), int(version)],
            how=how,
            brain=brain,
            outline=lesion is not None,
        )
        for position, (index, version) in enumerate(zip(indices, versions, strict=True))
    ]
    tumours = np.array([each.tumour for each in found], dtype=np.bool_)
    return Varied(
        pixels=np.stack([each.pixels for each in found]),
        labels=np.where(tumours & (labels == 0), 1, labels),
        lesions=tuple(None if each.lesion is None else inside_of(each.lesion) for each in found),
    )


def _coverage(lesion: Where | None, index: int) -> NDArray[np.uint8] | None:
    mask = lesion(index) if lesion else None
    return None if mask is None else coverage_of(mask)


def _version(
    picture: Picture,
    ranges: Augmentation,
    key: list[int],
    *,
    how: Preprocessing,
    brain: Where | None,
    outline: bool,
) -> Picture:
    """Return the version of a picture that the key (seed, image, version) decides."""
    moving = np.random.default_rng(key)
    if not ranges.redraws:
        return move(picture, ranges, moving)
    # Its own stream, so that the affine map is the same with and without redrawing.
    drawing = np.random.default_rng([*key, 1])
    known = brain(key[1]) if brain else None
    picture = change_content(picture, ranges, drawing, brain=known, outline=outline)
    return change_acquisition(move(picture, ranges, moving), ranges, drawing, how)
