"""The known layouts most alike are found: all of few, nearly all of many."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.duplicates.layouts import BLOCK, Layouts
from tumorscope.duplicates.sampling import units
from tumorscope.duplicates.thumbprint import BYTES, layout_steps


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


@pytest.mark.parametrize("count", [1, 5, 64, 65, 500])
@pytest.mark.parametrize("views", [2, 56, 112])
def test_all_of_few_are_compared(count: int, views: int) -> None:
    known = prints(count)
    asked = unit_layouts(prints(views, seed=1))
    products = asked @ unit_layouts(known).T
    found = Layouts(known).nearest(asked, 24)
    best = np.sort(products.max(axis=0))[::-1][:24]
    assert np.allclose(products[:, found.index].max(axis=0), best, atol=1e-5)
    assert found.views.shape == (min(24, count), 2)
    first = products[found.views[:, 0], found.index]
    assert np.allclose(first, products[:, found.index].max(axis=0), atol=1e-5)


def test_of_many_the_most_alike_are_found() -> None:
    known = prints(40_000)
    asked = np.random.default_rng(3).integers(0, 40_000, 20)
    noisy = layout_steps(known[asked]) + np.random.default_rng(4).normal(size=(20, 64))
    layouts = Layouts(known, many=1000)
    plain = Layouts(known)
    for index, view in zip(asked, units(noisy.astype(np.float32)), strict=True):
        views = np.stack([view, -view])
        assert layouts.nearest(views, 24).index[0] == index
        assert plain.nearest(views, 24).index[0] == index


def test_many_need_not_fill_the_last_block() -> None:
    known = prints(3 * BLOCK + 1)
    found = Layouts(known, many=2).nearest(unit_layouts(prints(2, seed=1)), 500)
    assert sorted(found.index.tolist()) == list(range(3 * BLOCK + 1))
