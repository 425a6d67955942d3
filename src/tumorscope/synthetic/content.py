"""Random changes of what a training picture shows: a lesion, no skull, or another one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.lesion_mask import coverage_of
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.fields import Field, smooth
from tumorscope.synthetic.lesions import add_lesion
from tumorscope.synthetic.picture import Picture


def change_content(
    picture: Picture,
    ranges: Augmentation,
    generator: np.random.Generator,
    *,
    brain: NDArray[np.bool_] | None,
    outline: bool = False,
) -> Picture:
    """Change what is in the picture, before it is moved.

    Parameters
    ----------
    picture : Picture
        A prepared slice.
    ranges : Augmentation
        How often each change is made.
    generator : numpy.random.Generator
        Decides.
    brain : ndarray of bool, shape (size, size), or None
        Where its brain is, as far as known; see `tumorscope.imaging.brain`.
    outline : bool
        Whether it is asked where a drawn lesion is.

    Returns
    -------
    Picture
        Of a tumour, where a lesion was drawn.
    """
    if not picture.tumour and generator.random() < ranges.lesions:
        drawn = add_lesion(picture.pixels, generator)
        if drawn is not None:
            lesion = coverage_of(drawn.mask) if outline else None
            picture = Picture(drawn.pixels, tumour=True, lesion=lesion)
    chance = generator.random()
    if brain is not None and chance < ranges.strip_skull:
        picture = strip_skull(picture, brain, generator)
    elif brain is None and chance < ranges.draw_skull:
        picture = draw_skull(picture, generator)
    return picture


def strip_skull(
    picture: Picture, mask: NDArray[np.bool_], generator: np.random.Generator
) -> Picture:
    """Blacken what lies outside a brain mask that was grown or shrunk by up to 2 % of the edge."""
    radius = round(generator.uniform(-0.025, 0.015) * picture.pixels.shape[0])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(radius) + 1,) * 2)
    change = cv2.dilate if radius > 0 else cv2.erode
    kept = change(mask.astype(np.uint8), kernel)
    # A lesion that was cut away is not to be found there.
    return picture.moved(lambda pixels: pixels * kept)


def draw_skull(picture: Picture, generator: np.random.Generator) -> Picture:
    """Draw a dark gap and a bright scalp around a picture's brain, after shrinking it to fit."""
    size = picture.pixels.shape[0]
    shrink = generator.uniform(0.76, 0.88)
    matrix = np.array([[shrink, 0, 0], [0, shrink, 0]]) + np.array(
        [[0, 0, (1 - shrink) * size / 2]] * 2
    )
    small = picture.moved(
        lambda pixels: cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_AREA)
    )
    mask = (cv2.GaussianBlur(small.pixels, (5, 5), 0) > 16).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return picture
    brain = np.zeros_like(mask)
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    cv2.drawContours(brain, [hull], -1, 1, thickness=cv2.FILLED)
    away = cv2.distanceTransform(1 - brain, cv2.DIST_L2, 3) / size
    gap = generator.uniform(0.005, 0.025)
    thick = generator.uniform(0.012, 0.045)
    wobble = _wobble(size, 4, generator) * 0.006
    scalp = (away > gap + wobble) & (away < gap + thick + 2 * wobble)
    level = generator.uniform(50, 255) * (1.0 + 0.25 * _wobble(size, 10, generator))
    drawn = small.pixels.astype(np.float32) + cv2.GaussianBlur(
        np.where(scalp, level, 0.0).astype(np.float32), (0, 0), generator.uniform(0.5, 1.2)
    )
    return small.showing(np.clip(drawn, 0, 255).astype(np.uint8))


def _wobble(size: int, knots: int, generator: np.random.Generator) -> Field:
    return smooth(generator.uniform(-1.0, 1.0, (knots, knots)).astype(np.float32), size)
