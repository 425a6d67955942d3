"""Heads that look alike, as those of patients do, and differ in the folds of the brain."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def head() -> Callable[..., NDArray[np.uint8]]:
    """Return ``head(seed, size=192)``: a skull, folds, two ventricles; uint8 [size, size]."""

    @cache
    def draw(seed: int, size: int = 192) -> NDArray[np.uint8]:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:192, :192].astype(np.float32)
        width, height = rng.uniform(58, 66), rng.uniform(74, 82)
        radius = np.hypot((x - 96 - rng.uniform(-3, 3)) / width, (y - 96) / height)
        noise = rng.normal(size=(192, 192)).astype(np.float32)
        folds = cv2.GaussianBlur(noise, (0, 0), 3.0)
        folds /= folds.std()
        pixels = np.where(radius < 0.9, 105 + 22 * np.tanh(folds * 1.5), 25.0)
        pixels = np.where(radius > 1.0, 4.0, pixels)
        pixels = np.where((radius > 0.93) & (radius < 1.0), 190.0, pixels)
        for side in (-1, 1):
            ventricle = np.hypot((x - 96 - side * 10) / rng.uniform(4, 7), (y - 92) / 18) < 1
            pixels = np.where(ventricle, 40.0, pixels)
        pixels = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 0.8)
        pixels += rng.normal(0, 3, pixels.shape)
        image = np.clip(pixels, 0, 255).astype(np.uint8)
        image = image if size == 192 else cv2.resize(image, (size, size))
        image.flags.writeable = False  # it is drawn once and given to many
        return image

    return draw
