"""What is stored of known pictures: sets that recognise copies and tell nothing of who has what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.duplicates.frequencies import frequencies
from tumorscope.duplicates.mark_sets import FEWEST, MarkSets
from tumorscope.duplicates.marks import marks


def drawn(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 1 << 63, (count, 12), dtype=np.uint64)


@given(count=st.integers(1, 40), seed=st.integers(0, 99))
def test_which_marks_are_of_one_picture_is_not_stored(count: int, seed: int) -> None:
    remembered = drawn(count, seed)
    strewn = np.random.default_rng(seed).permuted(remembered, axis=0)
    assert MarkSets.of(remembered).pack() == MarkSets.of(strewn).pack()


@pytest.mark.parametrize("count", [1, 300, 5000])
def test_they_survive_packing(count: int) -> None:
    sets = MarkSets.of(drawn(count))
    read = MarkSets.unpack(sets.pack())
    assert (read.salt, read.bits) == (sets.salt, sets.bits)
    for mine, theirs in zip(sets.sets, read.sets, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert len(mine) >= min(FEWEST, count)
        assert np.all(np.diff(mine.astype(np.int64)) > 0)


def test_sets_of_few_pictures_are_filled_up_by_what_only_their_marks_tell() -> None:
    one, other = MarkSets.of(drawn(1)), MarkSets.of(drawn(1, seed=1))
    assert {len(each) for each in (*one.sets, *other.sets)} == {FEWEST}
    assert one.salt != other.salt
    shared = [len(np.intersect1d(a, b)) for a, b in zip(one.sets, other.sets, strict=True)]
    assert max(shared) < 10


def test_marks_in_common_are_counted_in_the_best_of_all_turns() -> None:
    found = np.random.default_rng(1).normal(0.0, 0.07, (3, 196)).astype(np.float32)
    known = MarkSets.of(marks(found))
    assert [known.in_common(each).max() for each in found] == [12, 12, 12]
    half = np.where(np.arange(12) < 5, marks(found[:1]), marks(found[1:2]))
    assert MarkSets.of(half).in_common(found[0]).max() == 5
    assert not known.holds(np.zeros(196, np.float32))
    assert not known.holds(frequencies(np.zeros((64, 64), np.uint8)))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:0],
        lambda data: data[:40],
        lambda data: data[:-30],
        lambda data: data[:8] + bytes([60]) + data[9:],
        lambda data: data[:8] + bytes([13]) + data[9:],
        lambda data: data[:9] + b"\xff" * 48 + data[57:],
        lambda data: data[:57] + b"\0" * 3 + data[60:],
    ],
)
def test_damage_is_told(change: object) -> None:
    with pytest.raises(ValueError, match="marks of known pictures"):
        MarkSets.unpack(change(MarkSets.of(drawn(5)).pack()))
