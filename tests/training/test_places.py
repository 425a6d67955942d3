"""What each place of a network's map shows, from the mask of the picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.training.places import places_of

GRID = (5, 5)


def test_a_tumour_free_picture_shows_none_anywhere_and_an_unknown_tumour_is_unknown() -> None:
    assert not places_of(None, 0, GRID).any()
    assert (places_of(None, 1, GRID) == -1).all()
    assert (places_of(np.zeros((40, 40), np.bool_), 1, GRID) == -1).all()
    assert places_of(None, 1, (2, 3)).shape == (2, 3)


def test_the_share_of_a_place_that_is_covered_decides() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[:8, :8] = True  # all of a place
    mask[8:12, 8:13] = True  # 20 of 64: just more than 0.3
    mask[16:19, 16:22] = True  # 18 of 64: between
    mask[24, 24] = True  # 1 of 64: less than 0.03
    places = places_of(mask, 1, GRID)
    assert places.dtype == np.float32
    assert [places[each, each] for each in range(5)] == [1, 1, -1, 0, 0]
    assert (places == 0).sum() == 22


def test_a_small_lesion_lies_in_the_place_that_it_covers_most_of() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[20, 30:33] = True  # 2 pixels in one place, 1 in the next
    places = places_of(mask, 1, GRID)
    assert np.argwhere(places == 1).tolist() == [[2, 3]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_a_known_lesion_is_somewhere_and_never_where_nothing_is_covered(
    seed: int, height: int, width: int
) -> None:
    draw = np.random.default_rng(seed)
    mask = np.zeros((height * 7, width * 7), np.bool_)
    top, left = draw.integers(height * 7), draw.integers(width * 7)
    mask[top : top + draw.integers(1, 30), left : left + draw.integers(1, 30)] = True
    places = places_of(mask, 1, (height, width))
    covered = mask.reshape(height, 7, width, 7).any(axis=(1, 3))
    assert set(np.unique(places).tolist()) <= {-1.0, 0.0, 1.0}
    assert (places == 1).any()
    assert not places[~covered].any()
