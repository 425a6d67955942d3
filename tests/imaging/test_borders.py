"""Uniform rows at the edges are cut away, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.imaging.borders import trimmed
from tumorscope.synthetic.phantom_slice import phantom_slice


def busy(pixels: np.ndarray, spread: float) -> np.ndarray:
    """Row by row, as it is said: the 5th and the 95th percentile of some 64 values."""
    some = np.sort(pixels[:, :: max(1, pixels.shape[1] // 64)], axis=1).astype(int)
    width = some.shape[1]
    return some[:, int(0.95 * (width - 1))] - some[:, int(0.05 * width)] > spread


@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(16, 150),
    width=st.integers(16, 150),
    border=st.integers(0, 30),
    grey=st.integers(0, 255),
    spread=st.floats(3.0, 30.0),
)
def test_the_ends_are_the_first_and_the_last_busy_rows(
    seed: int, height: int, width: int, border: int, grey: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, int(rng.integers(1, 256)), (height, width), dtype=np.uint8)
    pixels[rng.random(height) < 0.3] = grey
    pixels = np.pad(pixels, border, constant_values=grey)
    expected = pixels
    for _ in range(4):
        rows = np.flatnonzero(busy(expected, spread))
        columns = np.flatnonzero(busy(expected.T, spread))
        if not len(rows) or not len(columns):
            break
        inner = expected[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if min(inner.shape) < 16 or inner.shape == expected.shape:
            break
        expected = inner
    assert np.array_equal(trimmed(pixels, spread=spread), expected)


@pytest.mark.parametrize("grey", [0, 120, 255])
def test_borders_of_any_grey_are_cut_away(grey: int) -> None:
    pixels = phantom_slice(tumour=False, seed=2).pixels
    inner = trimmed(pixels)
    assert np.array_equal(trimmed(np.pad(pixels, 30, constant_values=grey)), inner)
