"""Python's garbage collector, which finds nothing among what a program loads at its start."""

from __future__ import annotations

import gc

FIRST = 100_000
"""Objects at which it looks for the first time: more than any command loads before it works."""


def collect_later() -> None:
    """Let the first pass wait for `FIRST` objects; all that follow come as usual.

    A start of half a second spends a tenth of it on a hundred passes over modules and classes.

    Examples
    --------
    >>> import gc
    >>> usual = gc.get_threshold()
    >>> collect_later()
    >>> gc.get_threshold()[0]
    100000
    >>> found = gc.collect()
    >>> gc.get_threshold() == usual
    True
    """
    usual = gc.get_threshold()
    if not 0 < usual[0] < FIRST:  # it is off, or waits already: what is usual would be forgotten
        return

    def first(_phase: str, _counts: dict[str, int]) -> None:
        gc.callbacks.remove(first)
        gc.set_threshold(*usual)

    gc.callbacks.append(first)
    gc.set_threshold(FIRST, *usual[1:])
