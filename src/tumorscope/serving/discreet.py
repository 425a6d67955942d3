"""Nothing of what is received gets into words for people, whatever libraries have to say of it."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def discreet(say: Callable[[str], None]) -> Iterator[None]:
    """Silence warnings, logs and tracebacks of libraries, which quote names and identifiers.

    For a process that serves nothing else, because the silence is that of the whole process.

    Parameters
    ----------
    say : callable
        Is told of which kind an error was that nobody caught.
    """
    former = threading.excepthook

    def told(failed: threading.ExceptHookArgs) -> None:
        say(f"An error of the kind {failed.exc_type.__name__} ended a thread.")

    names = ("pydicom", "pynetdicom", "highdicom")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threading.excepthook = told
        for name in names:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            threading.excepthook = former
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
