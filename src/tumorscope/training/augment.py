"""Augmentation as one affine map and one resample per image.

A chain of layers resamples once per layer and blurs each time; composing the matrices first costs
less and loses less. The draws depend on (seed, image, version) alone, never on what was drawn
before, so a resumed run and a run on more threads see the same images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing
from tumorscope.imaging.lesion_mask import coverage_of, inside_of
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.acquisition import change_acquisition
from tumorscope.synthetic.content import change_content
from tumorscope.synthetic.picture import Picture


def affine(ranges: Augmentation, size: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw one affine map from output to input coordinates (x, y, in pixels).

    With centre c, flip F, zoom Z, shear H, rotation R and shift t the map is
    ``x_in = R H Z F (x_out − c) + c + t``: what Keras' ``ImageDataGenerator`` composes, in which
    zoom factors above 1 shrink the picture.

    Returns
    -------
    ndarray of float64, shape (2, 3)
        For ``cv2.warpAffine`` with ``WARP_INVERSE_MAP``.
    """
    # Every number is drawn whatever the ranges, so that changing one range leaves the others be.
    turn, right, down, slant, zoom_x, zoom_y = generator.uniform(-1.0, 1.0, 6)
    flip = generator.random() < 0.5 and ranges.horizontal_flip
    angle = math.radians(turn * ranges.rotation)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    tilt = math.radians(slant * ranges.shear)
    shear = np.array([[1.0, -math.sin(tilt)], [0.0, math.cos(tilt)]])
    scale = np.diag([1.0 + zoom_x * ranges.zoom, 1.0 + zoom_y * ranges.zoom])
    mirror = np.diag([-1.0 if flip else 1.0, 1.0])
    linear = rotation @ shear @ scale @ mirror
    centre = np.full(2, (size - 1) / 2)
    shift = np.array([right * ranges.width_shift, down * ranges.height_shift]) * size
    return np.hstack([linear, (centre + shift - linear @ centre)[:, None]])


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
    brain: Callable[[int], NDArray[np.bool_] | None] | None = None,
    lesion: Callable[[int], NDArray[np.bool_] | None] | None = None,
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
    found = []
    for position, (index, version) in enumerate(zip(indices, versions, strict=True)):
        where = None if lesion is None else lesion(int(index))
        picture = Picture(
            pixels[position],
            tumour=bool(labels[position]),
            lesion=None if where is None else coverage_of(where),
        )
        key = [seed, int(index), int(version)]
        moving = np.random.default_rng(key)
        if ranges.redraws:
            # Its own stream, so that the affine map is the same with and without redrawing.
            drawing = np.random.default_rng([*key, 1])
            known = brain(int(index)) if brain else None
            picture = change_content(
                picture, ranges, drawing, brain=known, outline=lesion is not None
            )
            picture = _moved(picture, ranges, moving)
            found.append(change_acquisition(picture, ranges, drawing, how))
        else:
            found.append(_moved(picture, ranges, moving))
    tumours = np.array([each.tumour for each in found], dtype=np.bool_)
    return Varied(
        pixels=np.stack([each.pixels for each in found]),
        labels=np.where(tumours & (labels == 0), 1, labels),
        lesions=tuple(None if each.lesion is None else inside_of(each.lesion) for each in found),
    )


def _moved(picture: Picture, ranges: Augmentation, generator: np.random.Generator) -> Picture:
    """Return a picture after one affine map."""
    size = picture.pixels.shape[-1]
    border = cv2.BORDER_REPLICATE if ranges.fill == "nearest" else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = affine(ranges, size, generator)
    return picture.moved(
        lambda pixels: cv2.warpAffine(
            pixels, matrix, (size, size), flags=flags, borderMode=border
        ).astype(np.uint8)
    )
