"""A random affine map of a training picture, drawn and composed at once, then resampled once.

A chain of layers resamples once per layer and blurs each time; composing the matrices first costs
less and loses less.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.recipes.parts import Augmentation
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


def move(picture: Picture, ranges: Augmentation, generator: np.random.Generator) -> Picture:
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
