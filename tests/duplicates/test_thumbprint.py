"""Thumbprints: what they hold, and that any image has one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscope.duplicates.recognition import Recogniser
from tumorscope.duplicates.thumbprint import BYTES, grids_of, layout_steps, thumbprint
from tumorscope.imaging import Slice


@given(
    pixels=st.tuples(st.integers(1, 60), st.integers(1, 60)).flatmap(
        lambda shape: arrays(np.uint8, shape)
    )
)
def test_any_image_has_a_thumbprint(pixels: np.ndarray) -> None:
    mine = thumbprint(Slice(pixels, "any"))
    assert mine.shape == (BYTES,)
    assert mine.dtype == np.uint8
    assert 0.0 <= Recogniser(mine[None]).best(Slice(pixels, "any")).agreement <= 1.0


@given(value=st.integers(0, 255), shape=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_flat_image_resembles_nothing(value: int, shape: tuple[int, int]) -> None:
    scan = Slice(np.full(shape, value, np.uint8), "flat")
    flat = thumbprint(scan)
    assert not flat.any()
    assert not Recogniser(flat[None]).is_copy(scan)
    assert not Recogniser(np.empty((0, BYTES), np.uint8)).is_copy(scan)


def test_it_unpacks_to_whole_steps_and_signs() -> None:
    rng = np.random.default_rng(0)
    scan = Slice(rng.integers(0, 255, (12, 12), np.uint8).repeat(9, 0).repeat(9, 1), "blocks")
    prints = np.stack([thumbprint(scan), np.zeros(BYTES, np.uint8)])
    layouts, grids = layout_steps(prints), grids_of(prints)
    assert layouts.shape == (2, 64)
    assert layouts.dtype == np.int8
    assert np.abs(layouts).max() <= 7
    assert float(np.linalg.norm(layouts[0])) == pytest.approx(20, abs=2)
    assert set(np.unique(grids[0])) == {-1.0, 1.0}
    assert not layouts[1].any()
    assert not grids[1].any()
