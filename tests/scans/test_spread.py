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


@given(
    st.lists(st.floats(0.1, 40.0), min_size=0, max_size=25),
    st.floats(0.05, 60.0),
)
def test_slices_are_those_nearest_to_each_line(steps: list[float], every: float) -> None:
    places = np.concatenate([[0.0], np.cumsum(steps)])
    lines = int(places[-1] / every + 1e-6)
    start = (places[-1] - lines * every) / 2.0
    nearest = {
        int(np.abs(places - (start + line * every) + 1e-6).argmin()) for line in range(lines + 1)
    }
    assert spread(places, every) == sorted(nearest)


@pytest.mark.parametrize("every", [1e-300, 1e-9, 1e300])
def test_any_distance_takes_no_time(every: float) -> None:
    places = [0.0, 1.0, 2.0, 900_000.0]
    assert spread(places, every) in ([0, 1, 2, 3], [2])
    assert spread([5.0], every) == [0]
