"""The known layouts most alike are found, however many there are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.duplicates.layouts import Layouts
from tumorscope.duplicates.sampling import TURNS, turned, units
from tumorscope.duplicates.thumbprint import BYTES, COARSE, layout_steps

WAVES = np.cos(np.pi * (np.arange(16) + 0.5) * np.arange(COARSE)[:, None] / 16) * np.sqrt(0.125)
WAVES[0] /= np.sqrt(2.0)


def prints(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Thumbprints of heads that are somewhat alike."""
    rng = np.random.default_rng(seed)
    usual = rng.normal(size=64)
    steps = np.clip(np.rint(usual + rng.normal(size=(count, 64)) * 2.0), -7, 7) + 8
    packed = steps.astype(np.uint8)
    halves = packed[:, 0::2] << 4 | packed[:, 1::2]
    return np.concatenate([halves, rng.integers(0, 255, (count, BYTES - 32), np.uint8)], axis=1)


def unit_layouts(known: NDArray[np.uint8]) -> NDArray[np.float32]:
    return units(layout_steps(known).astype(np.float32), least=1e-3)


def views_of(heads: int, parts: int) -> NDArray[np.float32]:
    """Layouts of some heads in all orientations: of pictures that are turned as they are."""
    upright = unit_layouts(prints(heads * parts, seed=1)).reshape(-1, COARSE, COARSE)
    pictures = np.matmul(np.matmul(WAVES.T, upright), WAVES)
    seen = np.stack([turned(pictures, turn) for turn in TURNS], axis=1)
    layouts = np.matmul(np.matmul(WAVES, seen), WAVES.T)
    return layouts.reshape(heads, parts, 8, 64).transpose(0, 2, 1, 3).astype(np.float32)


@pytest.mark.parametrize("count", [1, 5, 64, 1025, 2500])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 7), (2, 9)])
def test_all_are_compared(count: int, shape: tuple[int, int]) -> None:
    known, asked = prints(count), views_of(*shape)
    products = asked.reshape(-1, 64) @ unit_layouts(known).T
    found = Layouts(known).nearest(asked, 24)
    best = np.sort(products.max(axis=0))[::-1][:24]
    assert len(set(found.index.tolist())) == min(24, count)
    assert np.allclose(products[:, found.index].max(axis=0), best, atol=1e-5)
    assert found.views.shape == (min(24, count), 2)
    first, second = (products[found.views[:, each], found.index] for each in (0, 1))
    assert np.allclose(first, products[:, found.index].max(axis=0), atol=1e-5)
    assert (first >= second - 1e-5).all()


def test_an_image_without_structure_is_like_none() -> None:
    known = np.concatenate([np.zeros((1100, BYTES), np.uint8), prints(3)])
    found = Layouts(known).nearest(views_of(1, 2), 3)
    assert sorted(found.index.tolist()) == [1100, 1101, 1102]
