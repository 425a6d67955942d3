"""Copies across a random split: counted, and the accuracy told with and without them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.statistics.copies import Copies, copied_across_folds


def test_accuracy_is_told_with_without_and_on_them_alone() -> None:
    copied = np.array([True] * 4 + [False] * 6)
    right = np.array([True] * 4 + [True, False] * 3)
    found = Copies.among(copied, right)
    assert (found.count, found.n) == (4, 10)
    assert found.everything.value == 0.7
    assert found.without.value == 0.5
    assert found.alone.value == 1.0
    words = found.words().replace("\N{NO-BREAK SPACE}", " ")
    assert words.startswith("4 of the 10 testing images have a copy")
    assert "50.0 % (18.8 to 81.2 %) without them" in words
    assert found.to_json()["accuracy"]["without"]["value"] == 0.5


@pytest.mark.parametrize(("copied", "words"), [(False, "None of the 6"), (True, "nothing here is")])
def test_none_or_all_of_them_are_told_without_empty_figures(copied: bool, words: str) -> None:
    found = Copies.among(np.full(6, copied), np.ones(6, dtype=bool))
    assert words in found.words()
    assert "–" not in found.words()


def test_repeats_are_averaged_and_count_as_no_more_images() -> None:
    copied = np.array([[True, False], [False, False], [True, True], [False, False]])
    right = np.ones((4, 2), dtype=bool)
    found = Copies.among(copied, right)
    assert (found.count, found.n) == (1.5, 4)
    assert "1.5 of the 4" in found.words()
    once = Copies.among(np.zeros(4, dtype=bool), np.ones(4, dtype=bool))
    assert found.everything == once.everything


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_an_image_is_copied_where_its_group_lies_in_another_fold(
    rows: list[tuple[int, int, int]],
) -> None:
    groups = np.array([f"g{group}" for group, _, _ in rows])
    folds = np.array([each[1:] for each in rows], dtype=np.int64)
    found = copied_across_folds(groups, folds)
    for repeat in (0, 1):
        for index, group in enumerate(groups):
            others = folds[groups == group, repeat]
            assert found[index, repeat] == bool((others != folds[index, repeat]).any())
