"""Counted percentiles are those that numpy finds by sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscope.imaging.histogram import counts_of, percentile

PIXELS = st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(
    lambda shape: arrays(np.uint8, shape)
)


@given(pixels=PIXELS, share=st.sampled_from((0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 1.0)))
def test_percentiles_are_those_of_numpy(pixels: np.ndarray, share: float) -> None:
    expected = float(np.percentile(pixels, 100.0 * share))
    assert percentile(counts_of(pixels), share) == pytest.approx(expected, abs=1e-9)


@given(pixels=PIXELS)
def test_counts_end_with_all_pixels(pixels: np.ndarray) -> None:
    counts = counts_of(pixels)
    assert counts[-1] == pixels.size
    assert counts[100] == (pixels <= 100).sum()
