"""Exceptions that nobody expected, and what they are: mostly not bugs, but surroundings."""

from __future__ import annotations

import errno
import os

from tumorscope.common.errors import (
    InputError,
    OutputError,
    SurroundingsError,
    TumorscopeError,
)
from tumorscope.common.extras import missing_module
from tumorscope.common.words import one_line

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no room for what is written."""


def explain(error: Exception, *, to: str) -> TumorscopeError | None:
    """Return the error to show for an exception that came from outside; None where it is a bug.

    Parameters
    ----------
    error : Exception
        Raised by a command.
    to : str
        What was to be done, after "To".
    """
    if isinstance(error, ImportError):
        return missing_module(error, to=to) or _broken(error, to)
    if isinstance(error, MemoryError):
        return SurroundingsError(
            f"The memory does not suffice to {to}. Expected more free memory than there is. End "
            "other programs, give fewer or smaller images, or a smaller --batch or batch_size."
        )
    if isinstance(error, RecursionError):
        return InputError(
            f"Cannot {to}: what was read is nested deeper than any file of tumorscope. Expected a "
            "file that it wrote. Get it again; --debug shows where it was read."
        )
    if isinstance(error, UnicodeEncodeError):
        return InputError(
            f"Cannot {to}: a text or name holds characters that no file can hold "
            f"({one_line(error)}). Expected Unicode text. Rename the file, or get it again; "
            "--debug shows where it was written."
        )
    if isinstance(error, OSError):
        return _refused(error, to)
    return None


def _broken(error: ImportError, to: str) -> TumorscopeError | None:
    if (error.name or "tumorscope").partition(".")[0] == "tumorscope":
        return None
    return SurroundingsError(
        f"To {to}, {error.name} is needed, which is installed but cannot be loaded "
        f"({one_line(error)}). Expected versions that fit each other, as constraints.txt names "
        "them. Install it again, or make a new environment."
    )


def _refused(error: OSError, to: str) -> TumorscopeError | None:
    if error.errno is None:
        return None
    reason = error.strerror or os.strerror(error.errno)
    place = f" {error.filename}" if error.filename else ""
    if error.errno in FULL:
        return OutputError(
            f"Cannot write{place} to {to}: {reason}. Expected free space. Free some, or choose "
            "another place with -o; nothing that was finished before is lost."
        )
    return SurroundingsError(
        f"The system refused what is needed to {to}:{place or ' an operation'}: {reason}. "
        "Expected files and folders that can be read and written to, a folder for temporary files "
        "(TMPDIR), and no more open files and processes than are allowed. Mend that and run it "
        "again; --debug shows where it happened."
    )
