"""Lengths of time as people write them: 90s, 30m, 24h, 7d."""

from __future__ import annotations

import re

from tumorscope.common.errors import UsageError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")


def seconds_of(text: str, *, name: str) -> float:
    """Return the seconds of a length of time.

    Parameters
    ----------
    text : str
        A number with s, m, h or d behind it; without, seconds.
    name : str
        What it is for, as the option is called.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> seconds_of("90s", name="retention"), seconds_of("1.5h", name="retention")
    (90.0, 5400.0)
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"Received {name} = {text!r}; expected a length of time such as 90s, 30m, 24h or 7d. "
            "Write a number, and s, m, h or d for seconds, minutes, hours or days."
        )
    return float(found[1]) * UNITS[found[2] or "s"]
