"""Made-up lesions: visible, inside the head, and nothing else changes much."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscope.synthetic.lesions import FAINTEST, add_lesion


def head(size: int = 128) -> np.ndarray:
    picture = np.zeros((size, size), np.uint8)
    cv2.ellipse(picture, (size // 2, size // 2), (size // 3, size * 2 // 5), 0, 0, 360, 130, -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_lesion_is_seen_and_stays_inside_the_head(seed: int) -> None:
    picture = head()
    before = picture.copy()
    drawn = add_lesion(picture, np.random.default_rng(seed))
    np.testing.assert_array_equal(picture, before)
    if drawn is None:
        return
    assert drawn.pixels.dtype == np.uint8
    assert drawn.pixels.shape == drawn.mask.shape == picture.shape
    change = cv2.absdiff(drawn.pixels, picture)
    assert change.max() >= FAINTEST
    air = cv2.dilate((picture > 5).astype(np.uint8), np.ones((21, 21), np.uint8)) == 0
    assert change[air].max() == 0
    assert drawn.mask.any()
    assert not drawn.mask[air].any()
    # On average, because its texture leaves some of it as it was.
    assert change[drawn.mask].mean() > 5


def test_most_attempts_succeed_and_they_differ() -> None:
    drawn = [add_lesion(head(), np.random.default_rng(seed)) for seed in range(40)]
    made = [each.pixels for each in drawn if each is not None]
    assert len(made) > 25
    assert len({each.tobytes() for each in made}) == len(made)
    changes = [each.astype(int) - head() for each in made]
    brighter = [int(change.sum()) > 0 for change in changes]
    assert 5 < sum(brighter) < len(made)


def test_the_same_seed_draws_the_same() -> None:
    one, two = (add_lesion(head(), np.random.default_rng(7)) for _ in range(2))
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.mask, two.mask)


def test_there_is_no_lesion_in_the_air() -> None:
    assert add_lesion(np.zeros((64, 64), np.uint8), np.random.default_rng(0)) is None
