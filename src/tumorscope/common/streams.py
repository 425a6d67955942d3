"""Standard input, output and error as the shell, a scheduler or a notebook left them."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import warnings
from typing import TextIO


def prepare_streams() -> None:
    """Make the standard streams such that no result is lost and no word ends a command.

    Closed ones are replaced: else the next file that is opened would take their place, and words
    would go among the results. What is redirected is UTF-8, whatever the code page, because a
    table with a row that it cannot hold would be lost whole; on a terminal such letters become
    escapes.
    """
    width = os.environ.get("COLUMNS", "80")
    if not width.isdecimal() or int(width) < 1:
        del os.environ["COLUMNS"]  # a width that no help can be laid out in
    _fill_descriptors()
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stdout = _usable(sys.stdout, 1)
    sys.stderr = _usable(sys.stderr, 2)


def calm_warnings() -> None:
    """Keep warnings of libraries to each other from users, and from ending a command.

    ``PYTHONWARNINGS=error``, which is for testing, would end it.
    """
    warnings.simplefilter("default")
    for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning):
        warnings.simplefilter("ignore", category)
    warnings.simplefilter("ignore", ResourceWarning)


def holds_all_text(stream: TextIO) -> bool:
    """Whether the encoding of a stream has every letter."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name.startswith("utf")
    except (LookupError, AttributeError):
        return False


def _fill_descriptors() -> None:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Read-only in the place of standard output, so that writing to it is an error there.
            mode = os.O_WRONLY if descriptor == 2 else os.O_RDONLY
            with contextlib.suppress(OSError):
                os.open(os.devnull, mode)  # takes the lowest number that is free


def _usable(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:
        return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    if isinstance(stream, io.TextIOWrapper):
        keep = stream.isatty() or holds_all_text(stream)
        stream.reconfigure(encoding=None if keep else "utf-8", errors="backslashreplace")
    return stream
