"""Graded changes of a picture as read, before it is prepared: what files elsewhere look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tumorscope.imaging.brain import brain_mask
from tumorscope.synthetic.fields import Pixels, greys, through_jpeg

Change = Callable[[Pixels, float, np.random.Generator], Pixels | None]


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One kind of change.

    Attributes
    ----------
    name : str
        For tables.
    unit : str
        What its strengths are, for people.
    strengths : tuple of float
        From slight to heavy.
    change : callable
        From a picture uint8 (h, w), a strength and a generator to a picture; None where it cannot
        be made.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    change: Change


def _noise(pixels: Pixels, strength: float, generator: np.random.Generator) -> Pixels:
    noisy = pixels + generator.normal(0.0, strength, pixels.shape)
    return greys(noisy)


def _blur(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    sigma = strength / 100.0 * max(pixels.shape)
    return greys(cv2.GaussianBlur(pixels, (0, 0), sigma))


def _gamma(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    table = np.rint(255.0 * (np.arange(256) / 255.0) ** strength).astype(np.uint8)
    return greys(cv2.LUT(pixels, table))


def _window(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    stretched = (pixels.astype(np.float32) - 128.0) * strength + 128.0
    return greys(stretched)


def _rotate(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    if strength % 90 == 0:
        return np.ascontiguousarray(np.rot90(pixels, round(strength / 90)))
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), strength, 1.0)
    return greys(cv2.warpAffine(pixels, matrix, (width, height)))


def _mirror(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1] if strength == 1 else pixels[::-1])


def _crop(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    rows, columns = (round(side * strength / 100.0) for side in pixels.shape)
    inner = pixels[rows : len(pixels) - rows, columns : pixels.shape[1] - columns]
    return np.ascontiguousarray(inner)


def _resolution(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels | None:
    scale = strength / max(pixels.shape)
    if scale >= 1.0:
        return None
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return greys(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _jpeg(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    return through_jpeg(pixels, round(strength))


def _skull(pixels: Pixels, _strength: float, _: np.random.Generator) -> Pixels | None:
    mask = brain_mask(pixels)
    return None if mask is None else pixels * mask.astype(np.uint8)


PERTURBATIONS = (
    Perturbation("noise", "standard deviation in greys of 255", (5, 10, 20, 40), _noise),
    Perturbation("blur", "sigma in % of the longer edge", (0.25, 0.5, 1.0, 2.0), _blur),
    Perturbation("gamma", "exponent", (0.4, 0.6, 0.8, 1.25, 1.6, 2.5), _gamma),
    Perturbation("contrast", "factor about mid-grey", (0.5, 0.75, 1.33, 2.0), _window),
    Perturbation("rotation", "degrees", (5, 10, 20, 45, 90, 180), _rotate),
    Perturbation("mirror", "1 left and right, 2 top and bottom", (1, 2), _mirror),
    Perturbation("crop", "% cut off at each side", (5, 10, 15, 20), _crop),
    Perturbation("resolution", "pixels of the longer edge", (160, 112, 80, 56), _resolution),
    Perturbation("jpeg", "quality", (75, 50, 25, 10), _jpeg),
    Perturbation("skull removed", "1 removed, where a brain is found", (1,), _skull),
)
