"""Which answers are to be delivered when: one that was refused keeps no other waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.serving.answering import ANSWER
from tumorscope.serving.sender import Deliver, DeliveryError, wait_after
from tumorscope.serving.spool import Spool


@dataclass(slots=True)
class _Tried:
    failures: int = 0
    until: float = 0.0


class Delivering:
    """Takes the answers of a spool to where they belong, and remembers what failed.

    Parameters
    ----------
    spool : Spool
        Whose answers they are.
    deliver : callable
        What takes them there.
    clock : callable
        Monotonic seconds; tests set it.
    """

    def __init__(
        self, spool: Spool, deliver: Deliver, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._spool, self._deliver, self._clock = spool, deliver, clock
        self._tried: dict[str, _Tried] = {}
        self.last_failure = ""
        """Why the last attempt failed."""

    @property
    def failures_in_a_row(self) -> int:
        """Attempts that failed, of the answer that failed most often and still waits."""
        return max((one.failures for one in list(self._tried.values())), default=0)

    def due(self) -> list[Path]:
        """Return the answers whose time has come, the oldest first."""
        now = self._clock()
        return [
            place
            for place in self._spool.undelivered()
            if (tried := self._tried.get(place.name)) is None or tried.until <= now
        ]

    def attempt(self, place: Path) -> int:
        """Deliver one answer; return how many objects it has.

        Raises
        ------
        DeliveryError
            If they were not accepted; it is tried again later. Where nobody was there to accept
            anything, all others wait as long.
        """
        files = sorted(path for path in place.iterdir() if path.name != ANSWER)
        try:
            self._deliver(files)
        except DeliveryError as error:
            self.last_failure = str(error)
            self._postpone(place, self._spool.undelivered() if error.for_all else [place])
            raise
        self._spool.delivered(place)
        self._tried.pop(place.name, None)
        return len(files)

    def _postpone(self, failed: Path, places: Sequence[Path]) -> None:
        tried = self._tried.setdefault(failed.name, _Tried())
        tried.failures += 1
        until = self._clock() + wait_after(tried.failures)
        for place in places:
            other = self._tried.setdefault(place.name, _Tried())
            other.until = max(other.until, until)
