"""Scores that were written as CSV, and what of them is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.common.errors import InputError
from tumorscope.records.scores import scores_in


@pytest.mark.parametrize("columns", [("score",), ("score_a", "score_b")])
@pytest.mark.parametrize("cell", ["", "abc", "nan", "inf", "-1", "2.0"])
def test_a_damaged_score_is_told_with_its_file(cell: str, columns: tuple[str, ...]) -> None:
    whole = dict.fromkeys(columns, "0.5")  # of two classes they sum to 1
    assert scores_in(Path("a.csv"), [whole, whole], columns).shape == (2, len(columns))
    with pytest.raises(InputError, match=r"a\.csv holds scores that are no numbers from 0 to 1"):
        scores_in(Path("a.csv"), [whole, {**whole, columns[-1]: cell}], columns)


def test_scores_of_classes_that_do_not_sum_to_one_are_told_with_their_file() -> None:
    columns = ("score_a", "score_b")
    whole, odd = {"score_a": "0.4", "score_b": "0.6"}, {"score_a": "0.4", "score_b": "0.7"}
    with pytest.raises(InputError, match=r"a\.csv holds .* do not sum to 1, but to 1\.1 in row 2"):
        scores_in(Path("a.csv"), [whole, odd], columns)
