"""The mask of a lesion is read whole, and lies where the lesion lies in the network's input."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import InputError
from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.imaging.lesion_mask import (
    pack_mask,
    place_mask,
    read_mask,
    shrink_mask,
    unpack_mask,
)
from tumorscope.imaging.preprocess import placement


@given(
    shape=st.tuples(st.integers(60, 150), st.integers(60, 150)),
    crop=st.sampled_from(("none", "head")),
    fit=st.sampled_from(("stretch", "pad")),
    size=st.integers(32, 128),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_mask_of_a_bright_square_lies_on_the_prepared_square(
    shape: tuple[int, int],
    crop: Literal["none", "head"],
    fit: Literal["stretch", "pad"],
    size: int,
    seed: int,
) -> None:
    draw = np.random.default_rng(seed)
    pixels = np.zeros(shape, np.uint8)
    height, width = shape
    # A dim head somewhere in the picture, and a bright square in it.
    centre = (int(width * draw.uniform(0.4, 0.6)), int(height * draw.uniform(0.4, 0.6)))
    axes = (int(width * draw.uniform(0.25, 0.38)), int(height * draw.uniform(0.25, 0.38)))
    cv2.ellipse(pixels, centre, axes, 0, 0, 360, 60, cv2.FILLED)
    lesion = np.zeros(shape, np.bool_)
    edge = int(draw.integers(8, 14))
    top, left = centre[1] - int(draw.integers(2, 12)), centre[0] - int(draw.integers(2, 12))
    lesion[top : top + edge, left : left + edge] = True
    pixels[lesion] = 200
    scan, how = Slice(pixels, ""), Preprocessing(size=size, crop=crop, fit=fit)
    placed = place_mask(lesion, placement(scan, how), size)
    assert placed.shape == (size, size)
    assert placed.any()
    prepared = prepare(scan, how)
    assert placed[prepared > 150].all()
    assert not placed[prepared < 70].any()


def test_a_lesion_too_small_for_a_pixel_keeps_its_middle() -> None:
    mask = np.zeros((400, 400), np.bool_)
    mask[201:205, 301:305] = True
    scan = Slice(np.full((400, 400), 90, np.uint8), "")
    how = Preprocessing(size=40)
    assert np.argwhere(place_mask(mask, placement(scan, how), 40)).tolist() == [[20, 30]]
    assert np.argwhere(shrink_mask(mask, 40)).tolist() == [[20, 30]]
    assert not shrink_mask(np.zeros((400, 400), np.bool_), 40).any()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_bits_give_the_mask_back(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) > 0.5
    np.testing.assert_array_equal(unpack_mask(pack_mask(mask), width), mask)


def test_a_mask_is_white_inside_and_has_the_size_of_its_image(tmp_path: Path) -> None:
    grey = np.zeros((20, 30), np.uint8)
    grey[5:9, 5:9], grey[10, 10] = 255, 127
    cv2.imwrite(str(tmp_path / "mask.png"), grey)
    assert int(read_mask(tmp_path / "mask.png", (20, 30)).sum()) == 16
    with pytest.raises(InputError, match=r"\(20, 30\) pixels, its image \(30, 20\)"):
        read_mask(tmp_path / "mask.png", (30, 20))
