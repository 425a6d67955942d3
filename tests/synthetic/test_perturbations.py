"""Graded changes: each does what it is called, the stronger the more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.synthetic.perturbations import PERTURBATIONS, Perturbation

Pixels = NDArray[np.uint8]
Head = Callable[..., Pixels]
NAMED = {each.name: each for each in PERTURBATIONS}


def changed(name: str, pixels: Pixels, strength: float) -> Pixels:
    result = NAMED[name].change(pixels, strength, np.random.default_rng(0))
    assert result is not None
    return result


@pytest.mark.parametrize("perturbation", PERTURBATIONS, ids=NAMED)
def test_every_strength_gives_a_picture_or_nothing(head: Head, perturbation: Perturbation) -> None:
    for strength in perturbation.strengths:
        seen = perturbation.change(head(1), strength, np.random.default_rng(0))
        assert seen is None or (seen.dtype == np.uint8 and seen.ndim == 2 and seen.size)


@pytest.mark.parametrize("name", ["noise", "blur", "jpeg"])
def test_the_stronger_the_further_from_the_picture(head: Head, name: str) -> None:
    away = [
        np.abs(changed(name, head(2), strength).astype(int) - head(2)).mean()
        for strength in NAMED[name].strengths
    ]
    assert away == sorted(away)
    assert away[-1] > away[0]


def test_exact_changes_can_be_undone(head: Head) -> None:
    pixels = head(3)
    for strength in (1, 2):
        mirrored = changed("mirror", pixels, strength)
        assert (mirrored != pixels).any()
        np.testing.assert_array_equal(changed("mirror", mirrored, strength), pixels)
    turned = changed("rotation", changed("rotation", pixels, 180), 180)
    np.testing.assert_array_equal(turned, pixels)


def test_gamma_darkens_above_one_and_contrast_turns_about_mid_grey() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    assert changed("gamma", ramp, 2.5).mean() < ramp.mean() < changed("gamma", ramp, 0.4).mean()
    harder = changed("contrast", ramp, 2.0)
    assert harder[0, 128] == 128
    assert (harder[0, 40], harder[0, 220]) == (0, 255)


def test_size_changes_as_asked_and_nothing_is_enlarged(head: Head) -> None:
    pixels = head(4)
    assert changed("crop", pixels, 10).shape == (154, 154)
    assert max(changed("resolution", pixels, 80).shape) == 80
    small = np.ascontiguousarray(pixels[:60, :50])
    assert NAMED["resolution"].change(small, 80, np.random.default_rng(0)) is None


def test_without_a_brain_no_skull_is_removed() -> None:
    black = np.zeros((64, 64), np.uint8)
    assert NAMED["skull removed"].change(black, 1, np.random.default_rng(0)) is None
