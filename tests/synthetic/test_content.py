"""What a training picture shows is changed as often as a recipe says, and no more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.content import change_content
from tumorscope.synthetic.picture import Picture

Pixels = NDArray[np.uint8]
Head = Callable[..., Pixels]


def changed(
    pixels: Pixels,
    ranges: Augmentation,
    *,
    tumour: bool = False,
    brain: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> tuple[Pixels, bool]:
    generator = np.random.default_rng(seed)
    found = change_content(Picture(pixels, tumour=tumour), ranges, generator, brain=brain)
    assert found.lesion is None  # nobody asked
    return found.pixels, found.tumour


def test_without_shares_nothing_changes(head: Head) -> None:
    pixels = head(1)
    for brain in (None, np.ones(pixels.shape, bool)):
        seen, tumour = changed(pixels, Augmentation(), brain=brain)
        np.testing.assert_array_equal(seen, pixels)
        assert not tumour


def test_a_drawn_lesion_makes_a_tumour_of_a_picture_without_one(head: Head) -> None:
    ranges = Augmentation(lesions=1.0)
    drawn = [changed(head(seed), ranges, seed=seed) for seed in range(10)]
    assert sum(tumour for _, tumour in drawn) >= 8
    for seed, (pixels, tumour) in enumerate(drawn):
        assert tumour == bool((pixels != head(seed)).any())
    untouched, tumour = changed(head(1), ranges, tumour=True)
    np.testing.assert_array_equal(untouched, head(1))
    assert tumour


@pytest.mark.parametrize("known", [True, False])
def test_a_skull_goes_where_the_brain_is_known_and_comes_where_it_is_not(
    head: Head, known: bool
) -> None:
    pixels = head(2)
    brain = np.zeros(pixels.shape, bool)
    brain[60:130, 60:130] = True
    ranges = Augmentation(strip_skull=1.0, draw_skull=1.0)
    seen, tumour = changed(pixels, ranges, brain=brain if known else None)
    assert not tumour
    assert (seen != pixels).any()
    outside = seen[:40].max()
    assert outside == 0 if known else outside > 0


def test_a_black_picture_gets_no_skull() -> None:
    black = np.zeros((64, 64), np.uint8)
    seen, _ = changed(black, Augmentation(draw_skull=1.0))
    assert not seen.any()
