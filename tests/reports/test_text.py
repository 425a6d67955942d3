from __future__ import annotations

import pytest

from tumorscope.reports.text import no_break, percents, shorten, shown
from tumorscope.statistics import Interval
from tumorscope.statistics.estimate import Estimate, Undefined


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("accuracy", Interval(0.842, 0.792, 0.882, ""), "84.2 % (79.2 to 88.2 %)"),
        ("auc", Interval(0.9154, 0.87, 0.945, ""), "0.915 (0.870 to 0.945)"),
        ("auc", Undefined("one class"), "– (one class)"),
        ("brier", Undefined("one group", 0.25), "0.250 (one group)"),
    ],
)
def test_figures_as_text(name: str, found: Estimate, words: str) -> None:
    assert shown(name, found).replace("\N{NO-BREAK SPACE}", " ") == words


def test_intervals_and_percentages_do_not_break() -> None:
    assert percents(0.01, 0.02) == "1.0 to 2.0 %".replace(" ", "\N{NO-BREAK SPACE}")
    assert percents(None, 0.02).startswith("–")
    assert no_break("95 % of all") == "95\N{NO-BREAK SPACE}% of all"


def test_long_names_lose_their_middle() -> None:
    assert shorten("a" * 20 + "b" * 20, 11) == "aaaaa…bbbbb"
    assert shorten("short", 11) == "short"
