"""Cells of CSV files that a spreadsheet would take for formulas, made plain text and back again.

A file may be called ``=1+2.png``. Spreadsheets compute what begins with one of ``= + - @``, a tab
or a carriage return. An apostrophe in front makes it text; numbers stay numbers.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r].")
_GUARDED = re.compile(r"'+[=+\-@\t\r].")


def guarded(cell: str) -> str:
    """Return the text of a cell with an apostrophe in front, where a spreadsheet would compute it.

    Examples
    --------
    >>> guarded("=1+2.png"), guarded("-0.25"), guarded("scan-1.png"), guarded("-")
    ("'=1+2.png", '-0.25', 'scan-1.png', '-')
    """
    if not _FORMULA.match(cell):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def unguarded(cell: str) -> str:
    """Return the text that `guarded` was given.

    Examples
    --------
    >>> unguarded("'=1+2.png"), unguarded("'quoted'")
    ('=1+2.png', "'quoted'")
    """
    return cell[1:] if _GUARDED.match(cell) else cell
