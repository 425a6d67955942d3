"""The brain mask: right where it answers, silent where there is no skull."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscope.imaging import SHORTCUT_FREE, prepare, read_slice
from tumorscope.imaging.brain import brain_mask


def head(gap: int, size: int = 224) -> np.ndarray:
    """A brain of 62 × 78 px in a dark gap and a bright scalp."""
    picture = np.zeros((size, size), np.uint8)
    middle = (size // 2, size // 2)
    cv2.ellipse(picture, middle, (62 + gap + 9, 78 + gap + 9), 0, 0, 360, 230, -1)
    cv2.ellipse(picture, middle, (62 + gap, 78 + gap), 0, 0, 360, 8, -1)
    cv2.ellipse(picture, middle, (62, 78), 0, 0, 360, 140, -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


@pytest.mark.parametrize("gap", [6, 9, 14])
def test_the_brain_is_parted_from_its_skull(gap: int) -> None:
    mask = brain_mask(head(gap))
    assert mask is not None
    truth = np.zeros((224, 224), np.uint8)
    cv2.ellipse(truth, (112, 112), (62, 78), 0, 0, 360, 1, -1)
    overlap = (mask & (truth > 0)).sum() / (mask | (truth > 0)).sum()
    assert overlap > 0.9


def test_a_brain_without_skull_and_a_blank_picture_have_no_mask() -> None:
    stripped = np.zeros((224, 224), np.uint8)
    cv2.ellipse(stripped, (112, 112), (80, 100), 0, 0, 360, 140, -1)
    assert brain_mask(stripped) is None
    assert brain_mask(np.zeros((50, 60), np.uint8)) is None


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70))))
def test_any_picture_gets_a_mask_of_its_shape_or_none(pixels: np.ndarray) -> None:
    mask = brain_mask(pixels)
    assert mask is None or (mask.shape == pixels.shape and mask.dtype == np.bool_)


def test_most_real_heads_have_a_brain_of_a_plausible_size(real_data: Path) -> None:
    files = sorted((real_data / "navoneel_253" / "no").iterdir())[:30]
    masks = [brain_mask(prepare(read_slice(file), SHORTCUT_FREE)) for file in files]
    found = [mask for mask in masks if mask is not None]
    assert len(found) >= 18
    assert all(0.15 < mask.mean() < 0.8 for mask in found)
