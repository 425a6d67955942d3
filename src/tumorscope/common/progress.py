"""Progress bars on a terminal, silence everywhere else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_quiet: ContextVar[bool] = ContextVar("tumorscope_quiet", default=False)


@contextlib.contextmanager
def quiet(enabled: bool = True) -> Iterator[None]:
    """Silence `track` and `say` inside the block (the command line's ``--quiet``)."""
    token = _quiet.set(enabled)
    try:
        yield
    finally:
        _quiet.reset(token)


def track(items: Iterable[T], label: str, *, total: int | None = None) -> Generator[T, None, None]:
    """Yield `items` while drawing a bar on standard error, if that is a terminal.

    Parameters
    ----------
    items : iterable
        What to go through.
    label : str
        What is being done, in two or three words.
    total : int, optional
        Number of items; taken from ``len(items)`` where `items` is a sequence.
    """
    if _quiet.get() or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    if total is None and isinstance(items, Sequence):
        total = len(items)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=label)


def say(words: str) -> None:
    """Print words for people to standard error, unless quiet."""
    # Without standard error `print` would take standard output, which is for results; and where
    # its reader has gone, that is no reason to end.
    if not _quiet.get() and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(words, file=sys.stderr)
