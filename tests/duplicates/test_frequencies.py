"""Frequencies of a head: turned with the picture, and little moved by what leaves a copy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.fixtures.copies import COPIES

from tumorscope.duplicates.frequencies import canonical_head, frequencies, turned_frequencies
from tumorscope.duplicates.sampling import TURNS, turned
from tumorscope.imaging import Slice, prepare
from tumorscope.imaging.preprocess import SHORTCUT_FREE
from tumorscope.synthetic.phantom_slice import phantom_slice


def asked(pixels: np.ndarray) -> np.ndarray:
    return frequencies(prepare(Slice(np.ascontiguousarray(pixels), ""), SHORTCUT_FREE))


@given(arrays(np.uint8, st.tuples(st.integers(32, 90), st.integers(32, 90))))
def test_any_picture_has_frequencies(pixels: np.ndarray) -> None:
    found = frequencies(pixels)
    length = float(np.linalg.norm(found))
    assert found.dtype == np.float32
    assert length == pytest.approx(1.0, abs=1e-3) or not found.any()
    head = canonical_head(pixels)
    assert (head is None and not found.any()) or (head is not None and head.shape == (48, 48))


@given(grey=st.integers(0, 255))
def test_a_flat_picture_has_none(grey: int) -> None:
    assert not frequencies(np.full((64, 64), grey, np.uint8)).any()


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_picture_has_turned_frequencies(turn: int) -> None:
    pixels = prepare(phantom_slice(tumour=True, seed=2), SHORTCUT_FREE)
    mine = frequencies(np.ascontiguousarray(turned(pixels, turn)))
    np.testing.assert_allclose(mine, turned_frequencies(frequencies(pixels))[turn], atol=2e-3)


@pytest.mark.parametrize(
    "how", ["re-encoded", "black border", "white border", "darker", "brighter", "twice as large"]
)
def test_copies_have_nearly_the_same(how: str) -> None:
    pixels = phantom_slice(tumour=True, seed=3).pixels
    assert float(asked(COPIES[how](pixels)) @ asked(pixels)) > 0.95


def test_other_heads_have_others() -> None:
    heads = [asked(phantom_slice(tumour=True, seed=seed).pixels) for seed in range(4)]
    alike = np.array(heads) @ np.array(heads).T
    assert alike[~np.eye(4, dtype=bool)].max() < 0.9
