"""Numbers, intervals and facts as text for people."""

from __future__ import annotations

from tumorscope.statistics import Interval
from tumorscope.statistics.estimate import Estimate

PERCENTAGES = frozenset({"accuracy", "sensitivity", "specificity", "ppv", "npv"})


def percent(value: float, digits: int = 1) -> str:
    """Return 0.842 as "84.2 %", with a space that does not break."""
    return f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def shown(name: str, found: Estimate, *, short: bool = False) -> str:
    """Return a value and its interval as text: "84.2 % (79.2 to 88.2 %)"."""
    value, interval = shown_apart(name, found)
    return value if short and not isinstance(found, Interval) else f"{value} ({interval})"


def shown_apart(name: str, found: Estimate) -> tuple[str, str]:
    """Return the value and its interval, or why there is none, as text."""

    def number(value: float) -> str:
        return percent(value) if name in PERCENTAGES else f"{value:.3f}"

    if isinstance(found, Interval):
        return number(found.value), span(number(found.low), number(found.high))
    return "–" if found.value is None else number(found.value), found.reason


def percent_or_dash(value: float | None) -> str:
    """Return `percent`, or a dash for None."""
    return "–" if value is None else percent(value)


def span(low: str, high: str) -> str:
    """Return "79.2 to 88.2 %" that does not break."""
    first = low.removesuffix("\N{NO-BREAK SPACE}%") if high.endswith("%") else low
    return f"{first} to {high}".replace(" ", "\N{NO-BREAK SPACE}")


def no_break(text: str) -> str:
    """Return text in which no number is separated from its percent sign at the end of a line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def plural(count: int, noun: str, several: str | None = None) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> plural(1, "image"), plural(3, "image"), plural(0, "copy", "copies")
    ('1 image', '3 images', '0 copies')
    """
    return f"{count} {noun if count == 1 else several or noun + 's'}"
