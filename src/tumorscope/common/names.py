"""File names as text: for screens, for tables, and for every system's oddities."""

from __future__ import annotations

import os
from pathlib import PurePath


def printable(path: str | PurePath) -> str:
    r"""Return a path as text for screens and tables.

    Line ends and other control characters, and bytes that are not UTF-8, become escapes such as
    ``\n`` and ``\xff``: a terminal would obey the former, and no UTF-8 file can hold the latter.
    """
    text = str(path)
    if text.isprintable():
        return text
    plain = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in plain
    )


def as_text(path: str | PurePath) -> str:
    r"""Return a path as text that UTF-8 can hold; bytes that are not UTF-8 become ``\xff``."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    return text
