"""Lengths of time as people write them."""

from __future__ import annotations

import pytest

from tumorscope.common.durations import seconds_of
from tumorscope.common.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("2m", 120), (" 1.5 h ", 5400), ("7d", 604800)]
)
def test_they_become_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text, name="retention") == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "1w", "1h30m", "nan", "inf"])
def test_others_are_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(UsageError, match="such as 90s, 30m, 24h or 7d"):
        seconds_of(text, name="retention")
