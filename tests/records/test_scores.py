"""Scores that were written as CSV, and what of them is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.common.errors import InputError
from tumorscope.records.scores import scores_in


@pytest.mark.parametrize("columns", [("score",), ("score_a", "score_b")])
@pytest.mark.parametrize("cell", ["", "abc", "nan", "inf", "-1", "2.0"])
def test_a_damaged_score_is_told_with_its_file(cell: str, columns: tuple[str, ...]) -> None:
    whole = dict.fromkeys(columns, "0.5")
    assert scores_in(Path("a.csv"), [whole, whole], columns).shape == (2, len(columns))
    with pytest.raises(InputError, match=r"a\.csv holds scores that are no numbers from 0 to 1"):
        scores_in(Path("a.csv"), [whole, {**whole, columns[-1]: cell}], columns)
