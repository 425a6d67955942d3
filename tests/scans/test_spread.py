"""Slices at a distance: never nearer than they lie, both ends alike, each stack reached."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import UsageError
from tumorscope.scans.spread import spread


@given(
    st.lists(st.floats(0.3, 9.0), min_size=0, max_size=60),
    st.floats(0.3, 30.0),
)
def test_chosen_slices_ascend_and_leave_no_gap(steps: list[float], every: float) -> None:
    positions = np.concatenate([[0.0], np.cumsum(steps)])
    chosen = spread(positions, every)
    assert chosen == sorted(set(chosen))
    assert chosen
    widest = max([*steps, 0.0])
    gaps = np.diff(positions[chosen])
    assert (gaps <= every + widest + 1e-6).all()
    ends = positions[chosen[0]], positions[-1] - positions[chosen[-1]]
    assert max(ends) <= every / 2.0 + widest + 1e-6


@given(st.integers(1, 200), st.floats(0.5, 5.0))
def test_a_distance_of_the_steps_takes_every_slice(count: int, step: float) -> None:
    assert spread(np.arange(count) * step, step) == list(range(count))


@pytest.mark.parametrize("every", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_distance(every: float) -> None:
    with pytest.raises(UsageError, match="above 0"):
        spread([0.0, 1.0], every)
