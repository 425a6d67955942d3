"""Random changes that another scanner, sequence or archive would make to the same anatomy.

Each is made for both labels alike, so none of them can betray a label. Sources of the list: bias
field, noise, ghosting, blur and resolution as in Pérez-García et al., *TorchIO* (2021); gamma and
contrast as in Isensee et al., *nnU-Net* (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing, Slice
from tumorscope.imaging.lesion_mask import place_coverage
from tumorscope.imaging.preprocess import placement, prepare_at
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.fields import Pixels, greys, smooth, through_jpeg
from tumorscope.synthetic.picture import Picture

Generator = np.random.Generator
Signal = NDArray[np.floating]


def change_acquisition(
    picture: Picture, ranges: Augmentation, generator: Generator, how: Preprocessing
) -> Picture:
    """Change how a training picture was taken, after it is moved."""
    if generator.random() < ranges.vertical_flip:
        picture = picture.moved(lambda pixels: cv2.flip(pixels, 0).astype(np.uint8))
    if generator.random() < ranges.quarter_turns:
        turns = int(generator.integers(1, 4))
        picture = picture.moved(lambda pixels: np.ascontiguousarray(np.rot90(pixels, turns)))
    if generator.random() < ranges.acquisition:
        picture = picture.showing(acquire(picture.pixels, generator))
    if generator.random() < ranges.prepare_again:
        picture = _prepared_again(picture, how)
    return picture


def _prepared_again(picture: Picture, how: Preprocessing) -> Picture:
    scan, lesion = Slice(pixels=picture.pixels, source=""), picture.lesion
    place = placement(scan, how)
    return replace(
        picture,
        pixels=prepare_at(place, scan, how),
        lesion=None if lesion is None else place_coverage(lesion, place, how.size),
    )


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
    picture: Signal = pixels.astype(np.float32) / 255.0
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


def _resampled(picture: Signal, generator: Generator) -> Signal:
    size = len(picture)
    edge = max(32, round(size * generator.uniform(0.3, 0.95)))
    small = cv2.resize(picture, (edge, edge), interpolation=cv2.INTER_AREA)
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(generator.integers(2))]
    back: Signal = cv2.resize(small, (size, size), interpolation=how)
    return back


def _blurred(picture: Signal, generator: Generator) -> Signal:
    blurred: Signal = cv2.GaussianBlur(picture, (0, 0), generator.uniform(0.3, 1.8))
    return blurred


def _shaded(picture: Signal, generator: Generator) -> Signal:
    """Shade it by uneven coil sensitivity."""
    strength = generator.uniform(0.0, 0.45)
    knots = generator.uniform(-1.0, 1.0, (3, 3)).astype(np.float32)
    shaded: Signal = picture * (1.0 + strength * smooth(knots, len(picture)))
    return shaded


def _ghosts(picture: Signal, generator: Generator) -> Signal:
    """Add shifted copies along one axis, as motion during phase encoding does."""
    axis = int(generator.integers(2))
    shift = round(len(picture) * generator.uniform(0.15, 0.5))
    strength = generator.uniform(0.03, 0.12)
    copies = np.roll(picture, shift, axis) + np.roll(picture, -shift, axis)
    ghosted: Signal = ((1 - strength) * picture + strength * copies).astype(np.float32)
    return ghosted


def _sharpened(picture: Signal, generator: Generator) -> Signal:
    """Sharpen it for display, halo and all."""
    blurred = cv2.GaussianBlur(picture, (0, 0), generator.uniform(1.0, 3.0))
    sharp: Signal = picture + generator.uniform(0.2, 1.2) * (picture - blurred)
    return sharp


def _gamma(picture: Signal, generator: Generator) -> Signal:
    bent: Signal = picture ** float(np.exp(generator.uniform(-0.65, 0.65)))
    return bent


def _other_contrast(picture: Signal, generator: Generator) -> Signal:
    """Map greys through a random smooth curve that keeps air black, as another sequence would."""
    knots = np.linspace(0.0, 1.0, 6)
    if generator.random() < 0.5:  # any order of tissues, such as bright fluid
        bend = generator.uniform(0.05, 1.0, 5)
    else:
        bend = np.clip(knots[1:] + generator.normal(0, 0.18, 5), 0.05, 1.0)
    heights = np.concatenate([[0.0], bend])
    curve = np.interp(np.linspace(0.0, 1.0, 256), knots, heights).astype(np.float32)
    mapped: Signal = curve[np.rint(picture * 255).astype(np.int64)]
    return mapped


def _windowed(picture: Signal, generator: Generator) -> Signal:
    """Choose a window that is too narrow or too wide."""
    low, high = generator.uniform(-0.1, 0.1), generator.uniform(0.65, 1.25)
    windowed: Signal = (picture - low) / (high - low)
    return windowed


def _noisy(picture: Signal, generator: Generator) -> Signal:
    noise = generator.normal(0.0, generator.uniform(0.0, 0.06), picture.shape)
    if generator.random() < 0.3:  # coloured by a reconstruction filter
        noise = cv2.GaussianBlur(noise, (0, 0), 1.0) * 2.0
    noisy: Signal = picture + noise
    return noisy


Change = Callable[[Signal, Generator], Signal]

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
