"""Another scanner: same anatomy, air stays dark, everything in range."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tumorscope.imaging import SHORTCUT_FREE
from tumorscope.imaging.brain import brain_mask
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.acquisition import acquire, change_acquisition
from tumorscope.synthetic.content import draw_skull, strip_skull
from tumorscope.synthetic.picture import Picture


def brain(size: int = 128) -> np.ndarray:
    picture = np.zeros((size, size), np.uint8)
    cv2.ellipse(picture, (size // 2, size // 2), (size // 3, size * 2 // 5), 0, 0, 360, 140, -1)
    cv2.circle(picture, (size // 2, size // 2), size // 10, 60, -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([64, 97, 160]))
def test_the_picture_keeps_its_shape_and_its_dark_air(seed: int, size: int) -> None:
    taken = acquire(brain(size), np.random.default_rng(seed))
    assert taken.shape == (size, size)
    assert taken.dtype == np.uint8
    corners = np.concatenate([taken[:6, :6].ravel(), taken[-6:, -6:].ravel()])
    inside = taken[size // 2 - 3 : size // 2 + 3, size // 4 : size // 4 + 8]
    assert corners.mean() < 60
    assert inside.mean() >= corners.mean() - 10


def test_scans_of_one_head_differ_widely() -> None:
    scans = [acquire(brain(), np.random.default_rng(seed)) for seed in range(30)]
    means = [float(scan[brain() > 100].mean()) for scan in scans]
    assert max(means) - min(means) > 80


def changed(pixels: NDArray[np.uint8], seed: int = 0, **shares: float) -> NDArray[np.uint8]:
    ranges = Augmentation(**shares)
    generator = np.random.default_rng(seed)
    return change_acquisition(Picture(pixels), ranges, generator, SHORTCUT_FREE).pixels


def test_a_training_picture_is_turned_and_scanned_as_often_as_a_recipe_says() -> None:
    picture = brain()
    picture[:40, :30] = 200  # so that every turn shows
    np.testing.assert_array_equal(changed(picture), picture)
    np.testing.assert_array_equal(changed(picture, vertical_flip=1.0), picture[::-1])
    turns = [np.rot90(picture, quarters).tobytes() for quarters in (1, 2, 3)]
    seen = {changed(picture, seed, quarter_turns=1.0).tobytes() for seed in range(20)}
    assert seen == set(turns)
    assert (changed(picture, acquisition=1.0) != picture).any()


def test_a_changed_picture_is_prepared_again_to_the_size_of_the_network() -> None:
    again = changed(brain(), prepare_again=1.0)
    assert again.shape == (SHORTCUT_FREE.size, SHORTCUT_FREE.size)
    assert again.max() == 255


def test_stripping_leaves_nothing_outside_the_mask() -> None:
    picture = np.full((128, 128), 90, np.uint8)
    mask = np.zeros((128, 128), bool)
    mask[40:90, 30:100] = True
    for seed in range(10):
        stripped = strip_skull(Picture(picture), mask, np.random.default_rng(seed)).pixels
        reach = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        assert stripped[~reach].max() == 0
        assert stripped[64, 64] == 90


def test_a_drawn_skull_surrounds_the_brain_and_comes_off_again() -> None:
    found = 0
    for seed in range(12):
        headed = draw_skull(Picture(brain(224)), np.random.default_rng(seed)).pixels
        assert headed[:, :112].max() > 30
        mask = brain_mask(headed)
        if mask is not None:
            found += 1
            assert mask[112, 70]
            assert mask.sum() < (headed > 12).sum()
    assert found >= 4
