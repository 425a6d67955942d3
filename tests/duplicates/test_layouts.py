"""The known layouts most alike are found, however many there are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.duplicates.layouts import Layouts
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


@pytest.mark.parametrize("at_once", [512, 3, 1])
@pytest.mark.parametrize("count", [1, 5, 64, 65, 500])
@pytest.mark.parametrize("views", [2, 56, 112])
def test_all_are_compared(count: int, views: int, at_once: int) -> None:
    known = prints(count)
    asked = unit_layouts(prints(views, seed=1))
    products = asked @ unit_layouts(known).T
    found = Layouts(known, at_once=at_once).nearest(asked, 24)
    best = np.sort(products.max(axis=0))[::-1][:24]
    assert len(set(found.index.tolist())) == min(24, count)
    assert np.allclose(products[:, found.index].max(axis=0), best, atol=1e-5)
    assert found.views.shape == (min(24, count), 2)
    first, second = (products[found.views[:, each], found.index] for each in (0, 1))
    assert np.allclose(first, products[:, found.index].max(axis=0), atol=1e-5)
    assert (first >= second - 1e-5).all()


def test_an_image_without_structure_is_like_none() -> None:
    known = np.concatenate([np.zeros((70, BYTES), np.uint8), prints(3)])
    for at_once in (512, 1):
        found = Layouts(known, at_once=at_once).nearest(unit_layouts(prints(2, seed=1)), 3)
        assert sorted(found.index.tolist()) == [70, 71, 72]
