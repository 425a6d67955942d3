"""Random changes of what a training picture shows: a lesion, no skull, or another one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.fields import Field, Pixels, smooth
from tumorscope.synthetic.lesions import add_lesion


def change_content(
    pixels: Pixels,
    ranges: Augmentation,
    generator: np.random.Generator,
    *,
    tumour: bool,
    brain: NDArray[np.bool_] | None,
) -> tuple[Pixels, bool]:
    """Change what is in the picture, before it is moved.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (size, size)
        A prepared slice.
    ranges : Augmentation
        How often each change is made.
    generator : numpy.random.Generator
        Decides.
    tumour : bool
        Whether it shows one.
    brain : ndarray of bool, shape (size, size), or None
        Where its brain is, as far as known; see `tumorscope.imaging.brain`.

    Returns
    -------
    tuple
        The picture, uint8 (size, size), and whether it shows a tumour or lesion now.
    """
    if not tumour and generator.random() < ranges.lesions:
        drawn = add_lesion(pixels, generator)
        if drawn is not None:
            pixels, tumour = drawn, True
    chance = generator.random()
    if brain is not None and chance < ranges.strip_skull:
        pixels = strip_skull(pixels, brain, generator)
    elif brain is None and chance < ranges.draw_skull:
        pixels = draw_skull(pixels, generator)
    return pixels, tumour


def strip_skull(pixels: Pixels, mask: NDArray[np.bool_], generator: np.random.Generator) -> Pixels:
    """Blacken what lies outside a brain mask that was grown or shrunk by up to 2 % of the edge."""
    radius = round(generator.uniform(-0.025, 0.015) * pixels.shape[0])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(radius) + 1,) * 2)
    change = cv2.dilate if radius > 0 else cv2.erode
    stripped: Pixels = pixels * change(mask.astype(np.uint8), kernel)
    return stripped


def draw_skull(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Draw a dark gap and a bright scalp around a picture's brain, after shrinking it to fit."""
    size = pixels.shape[0]
    shrink = generator.uniform(0.76, 0.88)
    matrix = np.array([[shrink, 0, 0], [0, shrink, 0]]) + np.array(
        [[0, 0, (1 - shrink) * size / 2]] * 2
    )
    small = cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_AREA)
    mask = (cv2.GaussianBlur(small, (5, 5), 0) > 16).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return pixels
    brain = np.zeros_like(mask)
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    cv2.drawContours(brain, [hull], -1, 1, thickness=cv2.FILLED)
    away = cv2.distanceTransform(1 - brain, cv2.DIST_L2, 3) / size
    gap = generator.uniform(0.005, 0.025)
    thick = generator.uniform(0.012, 0.045)
    wobble = _wobble(size, 4, generator) * 0.006
    scalp = (away > gap + wobble) & (away < gap + thick + 2 * wobble)
    level = generator.uniform(50, 255) * (1.0 + 0.25 * _wobble(size, 10, generator))
    drawn = small.astype(np.float32) + cv2.GaussianBlur(
        np.where(scalp, level, 0.0).astype(np.float32), (0, 0), generator.uniform(0.5, 1.2)
    )
    output: Pixels = np.clip(drawn, 0, 255).astype(np.uint8)
    return output


def _wobble(size: int, knots: int, generator: np.random.Generator) -> Field:
    return smooth(generator.uniform(-1.0, 1.0, (knots, knots)).astype(np.float32), size)
