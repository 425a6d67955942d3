"""Random changes that another scanner, sequence or archive would make to the same anatomy.

Each is made for both labels alike, so none of them can betray a label. Sources of the list: bias
field, noise, ghosting, blur and resolution as in Pérez-García et al., *TorchIO* (2021); gamma and
contrast as in Isensee et al., *nnU-Net* (2021).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.fields import Pixels, greys, smooth, through_jpeg

Generator = np.random.Generator
Picture = NDArray[np.floating]


def change_acquisition(
    pixels: Pixels, ranges: Augmentation, generator: Generator, how: Preprocessing
) -> Pixels:
    """Change how a training picture was taken, after it is moved; uint8 (size, size) in and out."""
    if generator.random() < ranges.vertical_flip:
        pixels = cv2.flip(pixels, 0).astype(np.uint8)
    if generator.random() < ranges.quarter_turns:
        pixels = np.ascontiguousarray(np.rot90(pixels, int(generator.integers(1, 4))))
    if generator.random() < ranges.acquisition:
        pixels = acquire(pixels, generator)
    if generator.random() < ranges.prepare_again:
        pixels = prepare(Slice(pixels=pixels, source=""), how)
    return pixels


def acquire(pixels: Pixels, generator: Generator) -> Pixels:
    """Return the picture as another scanner might have shown it.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (size, size)
        A prepared slice.
    generator : numpy.random.Generator
        Decides everything.

    Examples
    --------
    >>> acquire(np.full((64, 64), 90, np.uint8), np.random.default_rng(0)).shape
    (64, 64)
    """
    picture: Picture = pixels.astype(np.float32) / 255.0
    for share, change in _OF_SIGNAL:
        if generator.random() < share:
            picture = change(picture, generator)
    picture = np.clip(picture, 0.0, 1.0)
    for share, change in _OF_DISPLAY:
        if generator.random() < share:
            picture = change(picture, generator)
    values = greys(255 * picture)
    if generator.random() < 0.3:
        values = through_jpeg(values, int(generator.integers(25, 90)))
    return values


def _resampled(picture: Picture, generator: Generator) -> Picture:
    size = len(picture)
    edge = max(32, round(size * generator.uniform(0.3, 0.95)))
    small = cv2.resize(picture, (edge, edge), interpolation=cv2.INTER_AREA)
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(generator.integers(2))]
    back: Picture = cv2.resize(small, (size, size), interpolation=how)
    return back


def _blurred(picture: Picture, generator: Generator) -> Picture:
    blurred: Picture = cv2.GaussianBlur(picture, (0, 0), generator.uniform(0.3, 1.8))
    return blurred


def _shaded(picture: Picture, generator: Generator) -> Picture:
    """Shade it by uneven coil sensitivity."""
    strength = generator.uniform(0.0, 0.45)
    knots = generator.uniform(-1.0, 1.0, (3, 3)).astype(np.float32)
    shaded: Picture = picture * (1.0 + strength * smooth(knots, len(picture)))
    return shaded


def _ghosts(picture: Picture, generator: Generator) -> Picture:
    """Add shifted copies along one axis, as motion during phase encoding does."""
    axis = int(generator.integers(2))
    shift = round(len(picture) * generator.uniform(0.15, 0.5))
    strength = generator.uniform(0.03, 0.12)
    copies = np.roll(picture, shift, axis) + np.roll(picture, -shift, axis)
    ghosted: Picture = ((1 - strength) * picture + strength * copies).astype(np.float32)
    return ghosted


def _sharpened(picture: Picture, generator: Generator) -> Picture:
    """Sharpen it for display, halo and all."""
    blurred = cv2.GaussianBlur(picture, (0, 0), generator.uniform(1.0, 3.0))
    sharp: Picture = picture + generator.uniform(0.2, 1.2) * (picture - blurred)
    return sharp


def _gamma(picture: Picture, generator: Generator) -> Picture:
    bent: Picture = picture ** float(np.exp(generator.uniform(-0.65, 0.65)))
    return bent


def _other_contrast(picture: Picture, generator: Generator) -> Picture:
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


def _windowed(picture: Picture, generator: Generator) -> Picture:
    """Choose a window that is too narrow or too wide."""
    low, high = generator.uniform(-0.1, 0.1), generator.uniform(0.65, 1.25)
    windowed: Picture = (picture - low) / (high - low)
    return windowed


def _noisy(picture: Picture, generator: Generator) -> Picture:
    noise = generator.normal(0.0, generator.uniform(0.0, 0.06), picture.shape)
    if generator.random() < 0.3:  # coloured by a reconstruction filter
        noise = cv2.GaussianBlur(noise, (0, 0), 1.0) * 2.0
    noisy: Picture = picture + noise
    return noisy


Change = Callable[[Picture, Generator], Picture]

_OF_SIGNAL: tuple[tuple[float, Change], ...] = (
    (0.5, _resampled),
    (0.3, _blurred),
    (0.5, _shaded),
    (0.15, _ghosts),
    (0.25, _sharpened),
)
"""How often each change is made, in this order: first what happens in the scanner …"""

_OF_DISPLAY: tuple[tuple[float, Change], ...] = (
    (0.7, _gamma),
    (0.35, _other_contrast),
    (0.4, _windowed),
    (0.5, _noisy),
)
"""… then, on values from 0 to 1, what happens until somebody sees the picture."""
