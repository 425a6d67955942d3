"""What is drawn to learn what is no brain MRI from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing, prepare
from tumorscope.synthetic.bodies import BODIES
from tumorscope.synthetic.impostors import draw_impostors
from tumorscope.synthetic.phantom_slice import phantom_slice
from tumorscope.synthetic.pieces import PIECES

HOW = Preprocessing(size=64, crop="head", fit="pad", intensity="percentile")


@pytest.fixture(scope="module")
def slices() -> NDArray[np.uint8]:
    return np.stack([prepare(phantom_slice(tumour=False, seed=n, size=96), HOW) for n in range(4)])


@pytest.mark.parametrize("draw", dict.fromkeys((*PIECES, *BODIES)))
def test_every_kind_is_a_picture_and_none_of_the_slices(
    draw: Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]],
    slices: NDArray[np.uint8],
) -> None:
    before = slices.copy()
    for seed in range(5):
        picture = draw(slices, np.random.default_rng(seed))
        assert picture.dtype == np.uint8
        assert picture.shape == slices.shape[1:]
        assert picture.std() > 2
        np.testing.assert_array_equal(picture, draw(slices, np.random.default_rng(seed)))
        apart = np.abs(picture.astype(int) - slices.astype(int)).mean(axis=(1, 2))
        assert apart.min() > 5
    np.testing.assert_array_equal(slices, before)


def test_a_seed_decides_everything(slices: NDArray[np.uint8]) -> None:
    first, again, other = (draw_impostors(slices, HOW, count=25, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (25, 64, 64)
    assert not np.array_equal(first, other)
    # More of them begin with the same ones.
    np.testing.assert_array_equal(draw_impostors(slices, HOW, count=30, seed=1)[:25], first)
