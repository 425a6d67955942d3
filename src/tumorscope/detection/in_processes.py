"""A long stream of files → findings, in processes: threads of one would wait for Python's lock.

They are forked, so a start costs little, and what a model knows is held once. That is sound as long
as this process has one thread, and Linux says whether it has. If anything goes wrong with one of
them, the rest of the stream is looked at by threads, as a short one is from the start.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from tumorscope.common.memory import IMAGES, LEAST
from tumorscope.common.progress import say
from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding
from tumorscope.detection.worker_process import CannotGoOnError, Chunk, WorkerProcess

MANY = 256
"""Files from which on processes pay."""

CHUNK = 16
"""Files that are handed over together, at least, so that it costs little."""

AHEAD = 2
"""Chunks that a process holds: one in work, and one for when that is done."""

_THREADS = Path("/proc/self/task")
"""Where Linux lists the threads of this process."""


class Processes:
    """Processes with a detector each, which answer one stream and end with it.

    Parameters
    ----------
    detector : Detector
        Whose threads answer what processes cannot.
    limit : int
        Bytes that images may take together, in all processes.
    """

    def __init__(self, detector: Detector, *, limit: int) -> None:
        self._detector, self._limit = detector, limit
        self._workers: list[WorkerProcess] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def fork(self, count: int, *, parts: int) -> None:
        """Begin processes.

        Parameters
        ----------
        count : int
            How many.
        parts : int
            Into how many shares memory is divided; this process has what they leave.

        Raises
        ------
        OSError
            If no more processes, open files or memory are allowed.
        """
        share = self._limit // parts
        # Ctrl-C goes to all of them, and this one decides who ends.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for _ in range(count):
                worker = WorkerProcess.fork(self._detector, share=share, others=self._workers)
                self._workers.append(worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        IMAGES.limit = share

    def close(self) -> None:
        """End them at once."""
        IMAGES.limit = self._limit
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.end()

    def detect_many(self, images: Iterable[Path], *, batch: int | None = None) -> Iterator[Finding]:
        """Yield what `Detector.detect_many` yields; the processes end with the last of it."""
        images = iter(images)
        waiting: deque[Chunk] = deque()
        try:
            while self._look_ahead(images, waiting, batch):
                yield from waiting.popleft().findings or ()
            return
        except CannotGoOnError as error:
            if str(error):
                say(str(error))
        finally:
            self.close()
        again = itertools.chain.from_iterable(chunk.paths for chunk in waiting)
        yield from self._detector.detect_many(itertools.chain(again, images), batch=batch)

    def _look_ahead(self, images: Iterator[Path], waiting: deque[Chunk], batch: int | None) -> bool:
        """Hand out files until the first that wait are answered; return whether there are any."""
        from multiprocessing.connection import wait

        while True:
            self._hand_out(images, waiting, batch)
            if not waiting or waiting[0].findings is not None:
                return bool(waiting)
            asked = [each for each in self._workers if each.chunks]
            ready = wait([each.answers for each in asked])
            for worker in asked:
                if worker.answers in ready:
                    worker.take()

    def _hand_out(self, images: Iterator[Path], waiting: deque[Chunk], batch: int | None) -> None:
        # Whole runs: where their length was given, neighbours decide last digits.
        size = CHUNK if batch is None else batch * max(1, CHUNK // batch)
        while len(waiting) < 2 * AHEAD * len(self._workers):
            worker = min(self._workers, key=lambda each: len(each.chunks))
            if len(worker.chunks) >= AHEAD:
                return
            chunk = Chunk(list(itertools.islice(images, size)))
            if not chunk.paths:
                return
            waiting.append(chunk)
            worker.ask(chunk, batch=batch)


def begin(detector: Detector, *, drawing: bool = False) -> Processes | None:
    """Fork a process for each thread of a detector; return None where threads serve better.

    So it is where there may be one only, on other systems than Linux, where this process has
    threads, which a fork would not take along, with graphics cards, which are not shared, and in a
    process of a pool, which Python lets begin none.

    Parameters
    ----------
    detector : Detector
        That has not answered yet.
    drawing : bool
        Whether this process will read images too.
    """
    parts = min(detector.threads + drawing, IMAGES.limit // LEAST)
    count = parts - drawing
    if count < 2 or detector.engine == "cuda":
        return None
    if threading.active_count() > 1 or not _THREADS.is_dir():
        return None
    from multiprocessing import current_process

    if current_process().daemon:
        return None
    detector.unpack()
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(Processes(detector, limit=IMAGES.limit))
        with contextlib.suppress(OSError):
            processes.fork(count, parts=parts)
            # Asked afterwards, because threads of BLAS, which are there before, make way for forks.
            if sum(1 for _ in _THREADS.iterdir()) == 1:
                stack.pop_all()
                return processes
    return None
