"""Registration forgives what a copy may lack and nothing that makes another picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.alignment import agreement
from tumorscope.duplicates.normalised_head import NormalisedHead, normalised_head, view_matrix
from tumorscope.imaging import Slice

Head = Callable[..., NDArray[np.uint8]]

STRAIGHT = view_matrix(0, 0.0, 1.0)


def of(pixels: NDArray[np.uint8]) -> NormalisedHead:
    return normalised_head(Slice(pixels, "test"))


def test_a_picture_agrees_with_itself(head: Head) -> None:
    assert agreement(of(head(1)), of(head(1)), STRAIGHT) > 0.999


def test_heads_laid_upon_each_other_do_not_agree(head: Head) -> None:
    scores = [agreement(of(head(1)), of(head(seed)), STRAIGHT) for seed in range(2, 12)]
    assert max(scores) < 0.6


def test_a_shear_and_a_shift_are_registered(head: Head) -> None:
    matrix = np.array([[1.03, 0.05, -4.0], [-0.04, 0.97, 5.0]], dtype=np.float32)
    moved = cv2.warpAffine(head(1), matrix, (192, 192))
    assert agreement(of(head(1)), of(moved), STRAIGHT) > 0.9


def test_a_wrong_start_a_quarter_turn_away_finds_nothing(head: Head) -> None:
    assert agreement(of(head(1)), of(head(1)), view_matrix(2, 0.0, 1.0)) < 0.8


def test_blank_images_agree_with_nothing(head: Head) -> None:
    blank = of(np.zeros((50, 50), dtype=np.uint8))
    assert agreement(blank, blank, STRAIGHT) == 0.0
    assert agreement(of(head(1)), blank, STRAIGHT) == 0.0
