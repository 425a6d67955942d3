"""Augmentation as one affine map and one resample per image.

A chain of layers resamples once per layer and blurs each time; composing the matrices first costs
less and loses less. The draws depend on (seed, image, version) alone, never on what was drawn
before, so a resumed run and a run on more threads see the same images.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.acquisition import change_acquisition
from tumorscope.synthetic.content import change_content


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
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
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

    Returns
    -------
    tuple of ndarray
        The pictures, uint8 (n, size, size), bilinearly resampled once, and their labels, int64
        (n,), which are 1 where a lesion was drawn into a tumour-free image.
    """
    output, answers = np.empty_like(pixels), labels.copy()
    for position, (index, version) in enumerate(zip(indices, versions, strict=True)):
        key = [seed, int(index), int(version)]
        moving = np.random.default_rng(key)
        if not ranges.redraws:
            output[position] = _moved(pixels[position], ranges, moving)
            continue
        # Its own stream, so that the affine map is the same with and without redrawing.
        drawing, tumour = np.random.default_rng([*key, 1]), bool(labels[position])
        where = brain(int(index)) if brain else None
        picture, changed = change_content(
            pixels[position], ranges, drawing, tumour=tumour, brain=where
        )
        answers[position] = 1 if changed and not tumour else labels[position]
        moved = _moved(picture, ranges, moving)
        output[position] = change_acquisition(moved, ranges, drawing, how)
    return output, answers


def _moved(
    picture: NDArray[np.uint8], ranges: Augmentation, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a picture uint8 (size, size) after one affine map."""
    size = picture.shape[-1]
    border = cv2.BORDER_REPLICATE if ranges.fill == "nearest" else cv2.BORDER_CONSTANT
    moved: NDArray[np.uint8] = cv2.warpAffine(
        picture,
        affine(ranges, size, generator),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
    ).astype(np.uint8)
    return moved
