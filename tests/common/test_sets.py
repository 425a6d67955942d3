"""Sets that are joined pair by pair."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.sets import Sets


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=40))
def test_sets_join_what_is_connected_and_nothing_else(links: list[tuple[int, int]]) -> None:
    sets: Sets[int] = Sets()
    for one, other in links:
        sets.join(one, other)
    reached = np.eye(21, dtype=bool)
    for one, other in links:
        reached[one, other] = reached[other, one] = True
    for middle in range(21):
        reached |= np.outer(reached[:, middle], reached[middle])
    for one in range(21):
        for other in range(21):
            assert (sets.find(one) == sets.find(other)) == reached[one, other]
