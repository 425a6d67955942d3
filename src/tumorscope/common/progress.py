"""Progress: a bar on a terminal, a line a minute in a log, silence where it is asked for."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import TypeVar

from tumorscope.common.names import shown

T = TypeVar("T")

FIRST_LINE, EVERY = 10.0, 60.0
"""Seconds until the first line in a log, and between one and the next. Short work has none."""

clock: Callable[[], float] = time.monotonic
"""What tells the time; tests set it."""

_quiet: ContextVar[bool] = ContextVar("tumorscope_quiet", default=False)


@contextlib.contextmanager
def quiet(enabled: bool = True) -> Iterator[None]:
    """Silence `track` and `say` inside the block (the command line's ``--quiet``)."""
    token = _quiet.set(enabled)
    try:
        yield
    finally:
        _quiet.reset(token)


_silent_since: ContextVar[list[float] | None] = ContextVar("tumorscope_silent", default=None)
"""When a command began or last wrote a line to a log; None where no command runs."""


@contextlib.contextmanager
def one_command() -> Iterator[None]:
    """Count the seconds until the first line from here on, over all loops of a command.

    Steps of some seconds each, one after the other, would else be silent for minutes.
    """
    token = _silent_since.set([clock()])
    try:
        yield
    finally:
        _silent_since.reset(token)


Total = int | Callable[[], int | None] | None


def track(
    items: Iterable[T], label: str, *, total: Total = None, unit: str = ""
) -> Generator[T, None, None]:
    """Yield `items` and tell how far they are on standard error.

    A terminal sees a bar; anything else, such as the log of a batch job, a line a minute with what
    is done, the rate and the time left.

    Parameters
    ----------
    items : iterable
        What to go through.
    label : str
        What is being done, in two or three words.
    total : int or callable, optional
        Number of items; taken from ``len(items)`` where `items` is a sequence. A function is
        asked only where the number is shown.
    unit : str
        What is counted, where `label` does not say.
    """
    if _quiet.get() or sys.stderr is None or _bars:
        # Rich before 14.1 refuses a bar inside a bar, and one says enough.
        yield from items
        return
    if total is None and isinstance(items, Sequence):
        total = len(items)
    if not sys.stderr.isatty():
        yield from _with_lines(items, label, total, unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        number = total() if callable(total) else total
        _bars.append(label)
        try:
            yield from bar.track(
                items, total=number, description=f"{label} ({unit})" if unit else label
            )
        finally:
            _bars.remove(label)


def say(words: str) -> None:
    """Print words for people to standard error, unless quiet."""
    # Without standard error `print` would take standard output, which is for results; and where
    # its reader has gone, there is no reason to end.
    if not _quiet.get() and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(shown(words), file=sys.stderr, flush=True)


class _Lines:
    """What a log is told of one loop."""

    def __init__(self, label: str, total: Total, unit: str) -> None:
        self.done = 0
        self._label, self._total, self._unit = label, total, unit
        self._began = clock()
        self._due = self._began + FIRST_LINE
        if since := _silent_since.get():
            self._due = min(self._due, since[0] + FIRST_LINE)

    def tell(self) -> None:
        """Write a line if it is time."""
        now = clock()
        if now >= self._due:
            self._total = self._total() if callable(self._total) else self._total
            say(_line(self._label, self.done, self._total, now - self._began, self._unit))
            self._due = now + EVERY
            if since := _silent_since.get():
                since[0] = now + EVERY - FIRST_LINE


_bars: list[str] = []
"""The bar that is drawn now, if any."""

_open: list[_Lines] = []
"""Loops that are gone through now, the innermost last."""


def pulse() -> None:
    """Let the loop that is gone through tell how far it is, inside a step that may take long."""
    if _open:
        _open[-1].tell()


def _with_lines(
    items: Iterable[T], label: str, total: Total, unit: str
) -> Generator[T, None, None]:
    lines = _Lines(label, total, unit)
    _open.append(lines)
    try:
        lines.tell()
        for done, item in enumerate(items):
            lines.done = done
            if done:
                lines.tell()
            yield item
    finally:
        _open.remove(lines)


def _line(label: str, done: int, total: int | None, seconds: float, unit: str = "") -> str:
    """Return a line such as "Training: 12 of 30 (40 %), 3.1 a minute, about 6 min left"."""
    what = f" {unit}" if unit else ""
    if not done:
        of = "" if total is None else f" of {total}"
        return f"{label}: 0{of}{what}, {_span(seconds)} so far"
    per_minute = 60 * done / seconds
    rate = f"{per_minute:.0f}" if per_minute >= 10 else f"{per_minute:.2g}"
    if total is None:
        return f"{label}: {done}{what}, {rate} a minute, {_span(seconds)} so far"
    left = max(0, total - done) * seconds / done
    share = f"{100 * done // total} %" if total else "all"
    return f"{label}: {done} of {total}{what} ({share}), {rate} a minute, about {_span(left)} left"


def _span(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
