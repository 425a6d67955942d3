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
    share = name in PERCENTAGES
    value = "–" if found.value is None else percent(found.value) if share else f"{found.value:.3f}"
    if not isinstance(found, Interval):
        return value, found.reason
    ends = percents(found.low, found.high) if share else f"{found.low:.3f} to {found.high:.3f}"
    return value, ends.replace(" ", "\N{NO-BREAK SPACE}")


def percents(low: float | None, high: float | None) -> str:
    """Return "79.2 to 88.2 %" that does not break; a dash for None."""
    ends = ("–" if end is None else f"{100 * end:.1f}" for end in (low, high))
    return f"{' to '.join(ends)} %".replace(" ", "\N{NO-BREAK SPACE}")


def no_break(text: str) -> str:
    """Return text in which no number is separated from its percent sign at the end of a line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def shorten(text: str, width: int) -> str:
    """Return at most `width` letters, the middle left out.

    Examples
    --------
    >>> shorten("a-very-long-name.png", 11)
    'a-ver…e.png'
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def plain(text: str, width: int = 40) -> str:
    """Return text that can be drawn: shortened in the middle, other scripts than ours as '?'.

    The font of matplotlib holds Latin, Greek and Cyrillic; for other glyphs it warns and draws
    boxes.
    """
    known = "".join(
        letter if letter.isprintable() and (letter < "\u0530" or "\u2000" < letter < "\u2300")
        else "?" for letter in text
    )  # fmt: skip
    return shorten(known, width)
