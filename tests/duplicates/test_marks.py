"""Marks of frequencies: none says anything of another, and near ones are tried."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.duplicates.marks import COUNT, NONE, likely_marks, marks, salted


@given(st.integers(0, 1 << 30))
def test_a_frequency_counts_for_one_mark_at_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = rng.normal(0.0, 0.07, 196).astype(np.float32)
    moved = found.copy()
    moved[rng.integers(1, 196)] += 0.5
    assert np.count_nonzero(marks(found) != marks(moved)) <= 1


@given(st.integers(0, 1 << 30))
def test_what_lies_near_is_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = rng.normal(0.0, 0.07, 196).astype(np.float32)
    near = found + rng.normal(0.0, 0.001, 196).astype(np.float32)
    tried = likely_marks(found)
    assert tried.shape == (COUNT, 8)
    np.testing.assert_array_equal(tried[:, 0], marks(found))
    assert len(np.unique(tried)) == tried.size
    assert np.any(tried == marks(near)[:, None], axis=1).sum() >= COUNT - 2


def test_nothing_has_no_marks_and_other_salts_other_marks() -> None:
    assert np.all(marks(np.zeros((2, 196), np.float32)) == NONE)
    some = marks(np.linspace(-0.3, 0.3, 196, dtype=np.float32))
    assert not np.any(salted(some, 1) == salted(some, 2))
