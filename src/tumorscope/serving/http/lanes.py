"""Two queues with a thread each: pictures of all requests side by side, and volumes one by one.

A study of a minute must not keep a single slice waiting, nor 1,000 slices of one request a single
one of another: pictures are taken from the requests in turns, and run as one batch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tumorscope.common.progress import quiet
from tumorscope.serving.http.job import Finish, Job, note_fault
from tumorscope.serving.http.problems import INTERNAL

HASTE = 0.7
"""Of the time until there is room: better some come too early than that nothing waits."""

Work = Callable[[Sequence[Job]], Sequence[Job]]
"""Does a part of what waits, and returns the jobs that had their turn; it sets their states."""


class Lane:
    """A bounded queue and the thread that works on it.

    Parameters
    ----------
    name : str
        Of the thread.
    work : Work
        Is given all jobs of the queue, those first whose turn it is.
    finish : Finish
        Is called with each that ended.
    most : int
        Jobs that may be in it.
    """

    def __init__(self, name: str, work: Work, finish: Finish, *, most: int) -> None:
        self._work, self._finish, self._most = work, finish, most
        self._jobs: deque[Job] = deque()
        self._news = threading.Condition()
        self._stopping = False
        self._seconds, self._turned_away = 0.0, 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being worked on, which is told to end early."""
        with self._news:
            self._stopping = True
            for job in self._jobs:
                job.cancelled = True
            self._news.notify_all()
        self._thread.join(timeout=10.0)

    @property
    def alive(self) -> bool:
        """Whether its thread works."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Jobs that are in it."""
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return len(self._jobs) >= self._most

    def add(self, job: Job) -> bool:
        """Queue a job; return False where there is no room."""
        with self._news:
            if self.full or self._stopping:
                return False
            self._jobs.append(job)
            self._news.notify()
        return True

    def turn_away(self) -> int:
        """Return after how many seconds one that found no room may find it, 1 to 60.

        By how fast it was, and how many were turned away before: they come back too, and would
        otherwise come all at once, time and again.
        """
        with self._news:
            self._turned_away += 1
            ahead = len(self._jobs) / 2 + self._turned_away
        return max(1, min(60, round(HASTE * self._seconds * ahead)))

    def _run(self) -> None:
        with quiet():  # progress is asked for over HTTP
            self._work_on()

    def _work_on(self) -> None:
        while jobs := self._next():
            began = time.monotonic()
            served = self._served(jobs)
            ended = [job for job in served if job.state in ("done", "failed")]
            with self._news:
                for job in served:
                    self._jobs.remove(job)
                # Behind the others, so that all have their turn.
                self._jobs += [job for job in served if job not in ended]
                left = self._turned_away - len(ended) if self._jobs else 0
                self._turned_away = max(0, left)
            for job in ended:
                self._end(job)
            if ended:
                spent = (time.monotonic() - began) / len(ended)
                self._seconds += 0.2 * (spent - self._seconds)
        for job in self._jobs:
            job.state, job.cancelled = "failed", True
            self._end(job)
        self._jobs.clear()

    def _next(self) -> list[Job]:
        """Wait for jobs and return them; none where the lane was stopped."""
        with self._news:
            while not self._jobs and not self._stopping:
                self._news.wait()
            return [] if self._stopping else list(self._jobs)

    def _served(self, jobs: list[Job]) -> Sequence[Job]:
        try:
            return self._work(jobs)
        except Exception as error:  # a thread that ends would let all that come wait for ever
            for job in jobs:
                job.state, job.problem = "failed", INTERNAL
                note_fault(job, error)
            return jobs

    def _end(self, job: Job) -> None:
        try:
            self._finish(job)
        except Exception as error:
            job.problem = INTERNAL
            note_fault(job, error)
        finally:
            job.ended.set_result(None)
