"""Standard input, output and error as the shell, a scheduler or a notebook left them."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
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
    # Of damaged metadata, in which nothing is needed; what is wrong with a picture is an error.
    warnings.filterwarnings("ignore", module=r"PIL\.")


@contextlib.contextmanager
def quiet_libraries(drop: bytes = b"") -> Iterator[None]:
    """Keep from standard error what libraries in C++ write to its descriptor inside the block.

    TensorFlow does so before any of its settings are read. If the block fails, all is shown.

    Parameters
    ----------
    drop : bytes
        Only lines that begin so are dropped, and the others shown at the end; all by default.
    """
    with _diverting:
        yield from _quietly(drop)


_diverting = threading.RLock()
"""Two threads that divert at once would each put back what the other one diverted to."""


def _quietly(drop: bytes) -> Iterator[None]:
    try:
        sys.stderr.flush()
        kept = os.dup(2)
        chatter = tempfile.TemporaryFile()  # noqa: SIM115
    except (AttributeError, OSError, ValueError):
        yield  # standard error is closed, or there is no room for a file: nothing to divert
        return
    shown = None
    with chatter:
        try:
            os.dup2(chatter.fileno(), 2)
            yield
            shown = drop or None
        except BaseException:
            shown = b"\n"  # no line begins so
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if shown is not None:
                chatter.seek(0)
                with contextlib.suppress(OSError):
                    for line in chatter:
                        if not line.startswith(shown):
                            os.write(2, line)


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
