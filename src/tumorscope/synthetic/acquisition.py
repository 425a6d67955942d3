"""Random changes that another scanner, sequence or archive would make to the same anatomy.

Each is drawn for both labels alike, so none of them can tell a label. Sources of the list: bias
field, noise, ghosting, blur and resolution as in Pérez-García et al., *TorchIO* (2021); gamma and
contrast as in Isensee et al., *nnU-Net* (2021). Skull-stripping and its reverse are ours.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def strip_skull(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Blacken what lies outside a brain mask that was grown or shrunk by up to 2 % of the edge."""
    radius = round(generator.uniform(-0.025, 0.015) * pixels.shape[0])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(radius) + 1,) * 2)
    change = cv2.dilate if radius > 0 else cv2.erode
    stripped: NDArray[np.uint8] = pixels * change(mask.astype(np.uint8), kernel)
    return stripped


def draw_skull(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
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
    wobble = _smooth(size, 4, generator) * 0.006
    scalp = (away > gap + wobble) & (away < gap + thick + 2 * wobble)
    level = generator.uniform(50, 255) * (1.0 + 0.25 * _smooth(size, 10, generator))
    drawn = small.astype(np.float32) + cv2.GaussianBlur(
        np.where(scalp, level, 0.0).astype(np.float32), (0, 0), generator.uniform(0.5, 1.2)
    )
    output: NDArray[np.uint8] = np.clip(drawn, 0, 255).astype(np.uint8)
    return output


def acquire(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture as another scanner might have shown it.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (size, size)
        A prepared slice.
    generator : numpy.random.Generator
        Decides everything.
    """
    picture = pixels.astype(np.float32) / 255.0
    size = len(picture)
    if generator.random() < 0.5:  # resolution
        edge = max(32, round(size * generator.uniform(0.3, 0.95)))
        small = cv2.resize(picture, (edge, edge), interpolation=cv2.INTER_AREA)
        how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(generator.integers(2))]
        picture = cv2.resize(small, (size, size), interpolation=how)
    if generator.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), generator.uniform(0.3, 1.8))
    if generator.random() < 0.5:  # uneven coil sensitivity
        picture = picture * (1.0 + generator.uniform(0.0, 0.45) * _smooth(size, 3, generator))
    if generator.random() < 0.15:
        picture = _ghosts(picture, generator)
    if generator.random() < 0.25:  # sharpened for display, halo and all
        blurred = cv2.GaussianBlur(picture, (0, 0), generator.uniform(1.0, 3.0))
        picture = picture + generator.uniform(0.2, 1.2) * (picture - blurred)
    picture = np.clip(picture, 0.0, 1.0)
    if generator.random() < 0.7:
        picture = picture ** float(np.exp(generator.uniform(-0.65, 0.65)))
    if generator.random() < 0.35:
        picture = _other_contrast(picture, generator)
    if generator.random() < 0.4:  # a window too narrow or too wide
        low, high = generator.uniform(-0.1, 0.1), generator.uniform(0.65, 1.25)
        picture = (picture - low) / (high - low)
    if generator.random() < 0.5:
        noise = generator.normal(0.0, generator.uniform(0.0, 0.06), picture.shape)
        if generator.random() < 0.3:  # coloured by a reconstruction filter
            noise = cv2.GaussianBlur(noise, (0, 0), 1.0) * 2.0
        picture = picture + noise
    values: NDArray[np.uint8] = np.rint(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    if generator.random() < 0.3:
        quality = int(generator.integers(25, 90))
        done, code = cv2.imencode(".jpg", values, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done:
            values = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return values


def _other_contrast(picture: Picture, generator: np.random.Generator) -> Picture:
    """Map greys through a random smooth curve that keeps air black, as another sequence would."""
    knots = np.linspace(0.0, 1.0, 6)
    if generator.random() < 0.5:  # any order of tissues, such as bright fluid
        bend = generator.uniform(0.05, 1.0, 5)
    else:
        bend = np.clip(knots[1:] + generator.normal(0, 0.18, 5), 0.05, 1.0)
    heights = np.concatenate([[0.0], bend])
    curve = np.interp(np.linspace(0.0, 1.0, 256), knots, heights).astype(np.float32)
    mapped: Picture = curve[np.rint(picture * 255).astype(np.int64)]
    return mapped


def _ghosts(picture: Picture, generator: np.random.Generator) -> Picture:
    """Add shifted copies along one axis, as motion during phase encoding does."""
    axis = int(generator.integers(2))
    shift = round(len(picture) * generator.uniform(0.15, 0.5))
    strength = generator.uniform(0.03, 0.12)
    copies = np.roll(picture, shift, axis) + np.roll(picture, -shift, axis)
    ghosted: Picture = ((1 - strength) * picture + strength * copies).astype(np.float32)
    return ghosted


def _smooth(size: int, knots: int, generator: np.random.Generator) -> Picture:
    coarse = generator.uniform(-1.0, 1.0, (knots, knots)).astype(np.float32)
    smooth: Picture = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return smooth
