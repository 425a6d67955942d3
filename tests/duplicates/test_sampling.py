"""The parts that comparisons of heads are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.duplicates.sampling import (
    TURNS,
    averaged,
    in_blocks,
    local_contrast,
    stretched,
    turned,
    units,
)


def test_the_eight_turns_are_all_different_and_keep_every_value() -> None:
    square = np.arange(9, dtype=np.float32).reshape(3, 3)
    seen = [turned(square, turn) for turn in TURNS]
    assert len({each.tobytes() for each in seen}) == 8
    assert all(sorted(each.ravel()) == list(range(9)) for each in seen)
    stack = np.stack([square, square + 9])
    for turn in TURNS:
        np.testing.assert_array_equal(turned(stack, turn)[1], turned(square + 9, turn))


@pytest.mark.parametrize("shape", [(5, 7), (64, 64), (200, 90)])
def test_any_part_is_stretched_to_a_square_of_the_same_greys(shape: tuple[int, int]) -> None:
    square = stretched(np.full(shape, 90, np.uint8), 64)
    assert square.shape == (64, 64)
    assert square.dtype == np.float32
    np.testing.assert_allclose(square, 90)


def test_whole_pixels_are_averaged_and_the_rest_cut_off() -> None:
    pixels = np.array([[0, 100, 9], [100, 200, 9]], np.uint8)
    assert averaged(pixels, 2).tolist() == [[100]]


def test_local_contrast_does_not_depend_on_brightness_and_hardly_on_gain() -> None:
    noise = np.random.default_rng(0).uniform(40, 160, (64, 64)).astype(np.float32)
    plain = local_contrast(noise, 1.0, 5.0, floor=0.01)
    np.testing.assert_allclose(local_contrast(noise + 50, 1.0, 5.0, floor=0.01), plain, atol=1e-2)
    np.testing.assert_allclose(local_contrast(0.5 * noise, 1.0, 5.0, floor=0.01), plain, atol=0.02)
    assert not local_contrast(np.full((8, 8), 7, np.float32), 1.0, 5.0, floor=3.0).any()


def test_vectors_become_units_and_nothing_stays_nothing() -> None:
    scaled = units(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    np.testing.assert_allclose(scaled, [[0.6, 0.8], [0.0, 0.0]])
    np.testing.assert_allclose(units(np.array([[0.3, 0.4]], np.float32), least=1.0), [[0.3, 0.4]])


@given(count=st.integers(0, 9), size=st.integers(1, 4))
def test_blocks_hold_all_vectors_and_then_zeros(count: int, size: int) -> None:
    vectors = np.arange(1, 3 * count + 1, dtype=np.float32).reshape(count, 3)
    blocks = in_blocks(vectors, size)
    assert blocks.shape == (-(-count // size), 3, size)
    flat = blocks.transpose(0, 2, 1).reshape(-1, 3)
    np.testing.assert_array_equal(flat[:count], vectors)
    assert not flat[count:].any()
