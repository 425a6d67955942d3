"""Preprocessing: any image becomes the input size; frozen pixels; shortcuts are removed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscope.imaging import SHORTCUT_FREE, Preprocessing, Slice, prepare
from tumorscope.imaging.preprocess import head_box

SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 70))
HOWS = st.builds(
    Preprocessing,
    size=st.integers(32, 64),
    crop=st.sampled_from(["none", "head"]),
    fit=st.sampled_from(["stretch", "pad"]),
    intensity=st.sampled_from(["none", "percentile"]),
)


def head(height: int, width: int, *, top: int, left: int, size: int) -> np.ndarray:
    """A bright textured disc on black."""
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(rows - top - size / 2, columns - left - size / 2)
    texture = 140 + 60 * np.sin(rows / 5) * np.cos(columns / 7)
    return np.where(radius < size / 2, texture, 0).astype(np.uint8)


@given(pixels=SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)), how=HOWS)
def test_any_image_becomes_the_input_size(pixels: np.ndarray, how: Preprocessing) -> None:
    before = pixels.copy()
    output = prepare(Slice(pixels=pixels, source="test"), how)
    assert output.shape == (how.size, how.size)
    assert output.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)


@given(value=st.integers(0, 255), shape=SHAPES)
def test_a_flat_image_stays_flat(value: int, shape: tuple[int, int]) -> None:
    flat = Slice(pixels=np.full(shape, value, np.uint8), source="test")
    assert np.unique(prepare(flat, Preprocessing(size=32))).tolist() == [value]


@pytest.mark.parametrize(
    ("how", "golden"),
    [
        (
            Preprocessing(size=64),
            [
                [0, 0, 107, 100, 0],
                [0, 3, 137, 136, 0],
                [0, 84, 172, 179, 88],
                [0, 0, 140, 141, 0],
                [0, 0, 37, 33, 0],
            ],
        ),
        (
            Preprocessing(size=64, fit="pad"),
            [
                [0, 0, 0, 0, 0],
                [0, 0, 172, 178, 0],
                [0, 85, 172, 178, 89],
                [0, 0, 172, 178, 0],
                [0, 0, 0, 0, 0],
            ],
        ),
        (
            Preprocessing(size=64, crop="head", fit="pad", intensity="percentile"),
            [
                [173, 233, 122, 202, 212],
                [188, 128, 239, 159, 149],
                [172, 234, 121, 202, 212],
                [188, 126, 241, 158, 149],
                [173, 235, 120, 203, 214],
            ],
        ),
        (
            Preprocessing(size=300, intensity="percentile"),
            [
                [0, 0, 193, 0, 0],
                [0, 223, 188, 145, 0],
                [0, 129, 177, 236, 0],
                [0, 0, 174, 252, 0],
                [0, 0, 0, 0, 0],
            ],
        ),
    ],
)
def test_pixels_are_frozen(how: Preprocessing, golden: list[list[int]]) -> None:
    """A model is only as good as the pixels it was trained on: these must never change."""
    pixels = head(150, 200, top=20, left=60, size=100)
    output = prepare(Slice(pixels=pixels, source="test"), how)
    step = how.size // 6
    # One grey level, because OpenCV rounds differently on other processors.
    np.testing.assert_allclose(output[step::step, step::step][:5, :5], golden, atol=1)


def test_shrinking_averages_areas() -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
    small = prepare(Slice(pixels=pixels.repeat(16, 0).repeat(16, 1), source="t"), Preprocessing(32))
    np.testing.assert_array_equal(small, pixels.repeat(8, 0).repeat(8, 1))


def test_padding_keeps_the_aspect_ratio_on_black() -> None:
    wide = Slice(pixels=np.full((50, 100), 200, np.uint8), source="test")
    output = prepare(wide, Preprocessing(size=40, fit="pad"))
    assert np.all(output[10:30] == 200)
    assert output[:10].max() == output[30:].max() == 0


@given(
    top=st.integers(0, 60),
    left=st.integers(0, 60),
    size=st.integers(60, 100),
    gain=st.floats(0.4, 1),
)
def test_border_place_and_brightness_leave_no_trace(
    top: int, left: int, size: int, gain: float
) -> None:
    how = SHORTCUT_FREE
    plain = head(size, size, top=0, left=0, size=size)
    moved = np.zeros((180, 170), np.uint8)
    moved[top : top + size, left : left + size] = (plain * gain).astype(np.uint8)
    one, two = (prepare(Slice(pixels=p, source="test"), how).astype(int) for p in (plain, moved))
    assert np.abs(one - two).mean() < 12
    assert abs(one.mean() - two.mean()) < 6


def test_a_skull_parted_from_its_brain_belongs_to_the_head_and_letters_do_not() -> None:
    picture = np.zeros((256, 256), np.uint8)
    cv2.circle(picture, (128, 128), 60, 150, thickness=cv2.FILLED)
    cv2.circle(picture, (128, 128), 90, 220, thickness=4)  # 26 px of dark fluid and bone between
    cv2.putText(picture, "R", (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255)
    box = head_box(picture)
    np.testing.assert_allclose(box, (36, 220, 36, 220), atol=3)


def test_the_head_is_found_and_a_blank_image_is_left_whole() -> None:
    top, bottom, left, right = head_box(head(200, 300, top=40, left=120, size=110))
    assert abs(top - 40) <= 4
    assert abs(bottom - 150) <= 4
    assert abs(left - 120) <= 4
    assert abs(right - 230) <= 4
    assert head_box(np.zeros((50, 60), np.uint8)) == (0, 50, 0, 60)
    assert head_box(np.full((3, 3), 9, np.uint8)) == (0, 3, 0, 3)
    speck = np.zeros((200, 200), np.uint8)
    speck[5:9, 5:9] = 255
    assert head_box(speck) == (0, 200, 0, 200)
