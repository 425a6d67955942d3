"""File names as text: for screens, for tables, and for every system's oddities."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
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


def without_folders(paths: Iterable[str]) -> list[str]:
    """Return paths without the folders that all absolute ones among them lie in.

    A page that goes to others does not say where on whose disk the images lay.

    Examples
    --------
    >>> without_folders(["/home/ann/scans/yes/1.png", "/home/ann/scans/no/2.png", "a/3.png"])
    ['yes/1.png', 'no/2.png', 'a/3.png']
    """
    plain = list(paths)
    absolute = [path for path in plain if PurePath(path).is_absolute()]
    if not absolute:
        return plain
    try:
        common = os.path.commonpath([PurePath(path).parent for path in absolute])
        return [
            str(PurePath(path).relative_to(common)) if PurePath(path).is_absolute() else path
            for path in plain
        ]
    except ValueError:  # on several drives
        return [PurePath(path).name for path in plain]


def shown(text: str) -> str:
    r"""Return text of several lines as a terminal may be given it.

    Control characters, of which some move the cursor or rename the window, and those that turn the
    direction of writing, become escapes such as ``\x1b``; line ends and tabs stay.

    Examples
    --------
    >>> print(shown("one\ntwo \x1b[31mred"))
    one
    two \x1b[31mred
    """
    return text if text.isprintable() else text.translate(_SHOWN)


class _Shown(dict[int, int | str]):
    def __missing__(self, code: int) -> int | str:
        letter = chr(code)
        hidden = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        value = letter.encode("unicode_escape").decode() if hidden else code
        self[code] = value
        return value


_SHOWN = _Shown({ord(each): each for each in "\n\t"})
