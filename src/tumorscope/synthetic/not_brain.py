"""Anything but a brain MRI, drawn to find out how far off such pictures lie."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from tumorscope.imaging import Slice
from tumorscope.synthetic.fields import Pixels, greys, smooth

EDGE = 240


def noise(generator: np.random.Generator) -> Pixels:
    """Return independent greys."""
    return generator.integers(0, 256, (EDGE, EDGE), dtype=np.uint8)


def clouds(generator: np.random.Generator) -> Pixels:
    """Return smooth blotches, as histology and skies have them."""
    knots = int(generator.integers(4, 24))
    coarse = generator.integers(0, 256, (knots, knots), dtype=np.uint8)
    return smooth(coarse, EDGE).astype(np.uint8)


def stripes(generator: np.random.Generator) -> Pixels:
    """Return a grating of any direction and width."""
    rows, columns = np.mgrid[:EDGE, :EDGE]
    angle, width = generator.uniform(0, np.pi), generator.uniform(4, 40)
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) / width * 2 * np.pi)
    return greys(127.5 + 127.5 * wave)


def ellipses(generator: np.random.Generator) -> Pixels:
    """Return a few shaded ellipses on black: the outline of a head and nothing in it."""
    picture = np.zeros((EDGE, EDGE), np.uint8)
    for _ in range(int(generator.integers(1, 7))):
        centre = [int(each) for each in generator.integers(40, 200, 2)]
        axes = [int(each) for each in generator.integers(10, 90, 2)]
        shade, angle = int(generator.integers(60, 256)), float(generator.uniform(0, 180))
        cv2.ellipse(picture, centre, axes, angle, 0, 360, shade, -1, cv2.LINE_AA)
    return picture


KINDS: tuple[Callable[[np.random.Generator], Pixels], ...] = (noise, clouds, stripes, ellipses)


def draw_not_brain(*, each: int = 25, seed: int = 0) -> list[Slice]:
    """Return `each` pictures of every kind; the same seed gives the same pictures."""
    generator = np.random.default_rng(seed)
    return [
        Slice(pixels=make(generator), source=make.__name__) for make in KINDS for _ in range(each)
    ]
