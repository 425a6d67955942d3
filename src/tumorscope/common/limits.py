"""What a number may be: one rule for the command line and for Python, asked before any work."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from tumorscope.common.errors import UsageError

MOST_SEED = 2**31 - 1
"""Every library that draws numbers takes seeds up to here, with room for the sums made of them."""

MOST_REPEATS = 1000
MOST_THREADS = 1024
"""More are a slip of the hand, and some systems cannot start them."""


def check_whole(
    name: str, value: SupportsIndex, *, at_least: int, at_most: int | None = None, usual: str = ""
) -> int:
    """Return a whole number that is within its limits.

    Parameters
    ----------
    name : str
        As an argument of Python is called; options of the command line have the same words.
    value : int
        What was received.
    at_least, at_most : int
        Both are allowed.
    usual : str
        What to take, in a few words.

    Raises
    ------
    UsageError
        If it is not a whole number, or out of range.

    Examples
    --------
    >>> check_whole("folds", 5, at_least=2)
    5
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if (
        number is None
        or isinstance(value, bool)
        or number < at_least
        or (at_most is not None and number > at_most)
    ):
        most = "" if at_most is None else f" and at most {at_most}"
        raise UsageError(
            f"Received {name} = {value!r}; expected at least {at_least}{most}, a whole number"
            + (f" ({usual})." if usual else ".")
        )
    return number


def check_seed(seed: SupportsIndex) -> int:
    """Return a seed that every part of the program can use; see `check_whole`."""
    return check_whole("seed", seed, at_least=0, at_most=MOST_SEED)


def check_folds(folds: int, repeats: int) -> None:
    """Refuse numbers that make no cross-validation; whether there are enough groups is asked later.

    Raises
    ------
    UsageError
        If there are fewer than 2 folds, or no repeat.
    """
    if folds < 2 or repeats < 1:
        raise UsageError(
            f"Received {folds} folds and {repeats} repeats; expected at least 2 folds and 1 repeat."
        )
    check_whole("folds", folds, at_least=2, usual="5 is usual")
    check_whole("repeats", repeats, at_least=1, at_most=MOST_REPEATS, usual="3 is usual")
