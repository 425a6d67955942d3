"""Small grammar for messages: a few names of many, and nouns after a number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from tumorscope.common.names import printable


def some_of(
    names: Sequence[str | PurePath],
    most: int = 3,
    *,
    total: int | None = None,
    between: str = ", ",
) -> str:
    """Return the first names, and an ellipsis where there are more.

    Parameters
    ----------
    names : sequence of str or path
        Control characters in them become escapes.
    most : int
        So many are named.
    total : int, optional
        How many there are, where `names` are only the first of them.
    between : str
        What separates them.

    Examples
    --------
    >>> some_of(["a.png", "b.png"])
    'a.png, b.png'
    >>> some_of(["a.png", "b.png"], 1)
    'a.png …'
    """
    more = (len(names) if total is None else total) > min(most, len(names))
    return between.join(map(printable, names[:most])) + (" …" if more else "")


def one_line(said: object, most: int = 300) -> str:
    r"""Return what a library says, of several lines perhaps, as one of so many letters at most.

    Examples
    --------
    >>> one_line(ValueError("no such\n  layer"))
    'no such layer'
    """
    return " ".join(str(said).split())[:most]


def counted(number: int, noun: str, several: str = "") -> str:
    """Return a number and its noun.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        What one is called.
    several : str, optional
        What others are called; with an "s" behind by default.

    Examples
    --------
    >>> counted(1, "image"), counted(0, "image"), counted(2, "copy", "copies")
    ('1 image', '0 images', '2 copies')
    """
    return f"{number} {noun if number == 1 else several or noun + 's'}"
