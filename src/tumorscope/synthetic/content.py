"""Changes of a training picture that an affine map cannot make: lesion, skull, scanner."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.acquisition import acquire, draw_skull, strip_skull
from tumorscope.synthetic.lesions import add_lesion


def redraw(
    pixels: NDArray[np.uint8],
    ranges: Augmentation,
    generator: np.random.Generator,
    *,
    tumour: bool,
    brain: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.uint8], bool]:
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


def rescan(
    pixels: NDArray[np.uint8],
    ranges: Augmentation,
    generator: np.random.Generator,
    how: Preprocessing,
) -> NDArray[np.uint8]:
    """Change how the picture was taken, after it is moved; uint8 (size, size) in and out."""
    if generator.random() < ranges.vertical_flip:
        pixels = cv2.flip(pixels, 0).astype(np.uint8)
    if generator.random() < ranges.quarter_turns:
        pixels = np.ascontiguousarray(np.rot90(pixels, int(generator.integers(1, 4))))
    if generator.random() < ranges.acquisition:
        pixels = acquire(pixels, generator)
    if generator.random() < ranges.prepare_again:
        pixels = prepare(Slice(pixels=pixels, source=""), how)
    return pixels
