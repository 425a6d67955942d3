"""One request for findings, from its files to its answer."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tumorscope.serving.http.problems import Problem
from tumorscope.serving.http.uploads import Upload

State = Literal["queued", "running", "done", "failed"]


class StoppedError(Exception):
    """Work on a request ends early: it was deleted, or took too long."""


@dataclass(slots=True, eq=False)
class Job:
    """A request that waits, or is worked on.

    Attributes
    ----------
    place : Path
        Its folder, whose name is its id.
    uploads : tuple of Upload
        What was sent.
    reserved : int
        Bytes that the store counted for it.
    kept : int
        Bytes that were written beside what was sent, of pictures alone.
    work : float
        Seconds after which work on it is given up.
    state : {"queued", "running", "done", "failed"}
    looked_at : int
        Pictures and slices that are finished.
    total : int, optional
        How many there are, as far as that is known.
    rows, items : list of dict
        The answer so far: rows as ``tumorscope predict`` writes them, and what people see of each.
    pictures : int
        Numbers that were given to pictures so far.
    problem : Problem, optional
        Why it failed.
    text : str
        The answer as it was written down, once it is.
    cancelled : bool
        Whether it was deleted meanwhile.
    ended : Future
        Done once the answer, or why there is none, is on disk.
    """

    place: Path
    uploads: tuple[Upload, ...]
    reserved: int
    work: float
    state: State = "queued"
    looked_at: int = 0
    total: int | None = None
    rows: list[dict[str, object]] = field(default_factory=list)
    items: list[dict[str, object]] = field(default_factory=list)
    pictures: int = 0
    problem: Problem | None = None
    text: str = ""
    kept: int = 0
    cancelled: bool = False
    created: float = field(default_factory=time.time)
    begun: float = 0.0
    ended: Future[None] = field(default_factory=Future)

    @property
    def id(self) -> str:
        """By which a client asks for it."""
        return self.place.name

    @property
    def heavy(self) -> bool:
        """Whether volumes may be in it, which take seconds."""
        return any(each.kind in ("volume", "archive") for each in self.uploads)

    def check(self) -> None:
        """End the work early where nobody wants it any more, or it takes too long.

        Raises
        ------
        StoppedError
            If it was deleted.
        Problem
            If it takes too long.
        """
        if self.cancelled:
            raise StoppedError
        if self.begun and time.monotonic() - self.begun > self.work:
            raise Problem(
                422,
                received=f"Received files that take longer than {self.work:.0f} s.",
                expected="Expected what can be looked at in that time.",
                what_to_do="Send less at once, or raise --work-seconds.",
            )


Finish = Callable[[Job], None]
"""Writes the answer of a job down, or why there is none."""


def note_fault(job: Job, error: Exception) -> None:
    """Tell the log of a fault, with neither names nor content: others read it too."""
    print(f"request {job.id[:6]}…: {type(error).__name__}", file=sys.stderr, flush=True)
