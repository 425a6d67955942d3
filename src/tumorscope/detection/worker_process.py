"""One process with one thread that answers files: forked, asked and ended by the one before it."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tumorscope.common.memory import IMAGES
from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Asked = tuple[list[Path], int | None]
"""Files, and how many of them a run of the engine takes."""

Answer = list[Finding] | Exception | None
"""Findings, what was raised instead, or nothing where memory did not suffice for one of them."""


class CannotGoOnError(Exception):
    """Processes cannot answer what was asked; threads can. The message is for people, if any."""


@dataclass(slots=True)
class Chunk:
    """Files that are handed over together, and their findings once they are there."""

    paths: list[Path]
    findings: list[Finding] | None = None


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A forked process, as the one that asks it sees it.

    Attributes
    ----------
    process : BaseProcess
        It ends when this one does, or closes its pipes.
    requests, answers : Connection
        To it, and from it.
    chunks : deque of Chunk
        What it was asked and has not answered, in this order.
    """

    process: BaseProcess
    requests: Connection
    answers: Connection
    chunks: deque[Chunk] = field(default_factory=deque)

    @classmethod
    def fork(
        cls, detector: Detector, *, share: int, others: Sequence[WorkerProcess] = ()
    ) -> WorkerProcess:
        """Begin a process.

        Parameters
        ----------
        detector : Detector
            Which it takes along.
        share : int
            Bytes that the images it reads may take.
        others : sequence of WorkerProcess
            Those that were forked before, whose pipes it must not hold open.

        Raises
        ------
        OSError
            If no more processes, open files or memory are allowed.
        """
        from multiprocessing import get_context

        context = get_context("fork")
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as theirs:
            asked, requests = context.Pipe(duplex=False)
            theirs.callback(asked.close)
            kept.callback(requests.close)
            answers, answering = context.Pipe(duplex=False)
            theirs.callback(answering.close)
            kept.callback(answers.close)
            ours = [requests, answers]
            ours += [end for each in others for end in (each.requests, each.answers)]
            process = context.Process(
                target=_work, args=(asked, answering, ours, detector, share), daemon=True
            )
            process.start()
            kept.pop_all()
        return cls(process, requests, answers)

    def ask(self, chunk: Chunk, *, batch: int | None) -> None:
        """Hand over files, without waiting for those before them.

        Raises
        ------
        CannotGoOnError
            If the process has ended.
        """
        self.chunks.append(chunk)
        asked: Asked = chunk.paths, batch
        try:
            self.requests.send(asked)
        except OSError:
            raise self._ended() from None

    def take(self) -> None:
        """Wait for the next answer.

        Raises
        ------
        CannotGoOnError
            If the process has ended, or the memory that it may take does not suffice.
        Exception
            What the detector raised.
        """
        try:
            answer: Answer = self.answers.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise CannotGoOnError
        self.chunks.popleft().findings = answer

    def end(self) -> None:
        """End it at once; nothing of it would be lost."""
        self.process.kill()
        self.process.join()
        self.requests.close()
        self.answers.close()

    def _ended(self) -> CannotGoOnError:
        self.process.join()
        code = self.process.exitcode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return CannotGoOnError(
            f"A process that looked at images was ended {how}, perhaps for lack of memory. Its "
            "images and those that follow are looked at by threads."
        )


def _work(
    requests: Connection,
    answers: Connection,
    of_parent: Sequence[Connection],
    detector: Detector,
    share: int,
) -> None:
    """Be that process."""
    for each in of_parent:
        each.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    IMAGES.limit = share
    asked: SimpleQueue[Asked] = SimpleQueue()
    threading.Thread(target=_read, args=(requests, asked), daemon=True).start()
    _answer(detector, [], None)  # opens the engine while the first files are looked up
    with contextlib.suppress(OSError):  # nobody is there for the answer
        while True:
            answers.send(_answer(detector, *asked.get()))


def _read(requests: Connection, asked: SimpleQueue[Asked]) -> None:
    """Take what is asked while the last is in work, so that nobody waits for room in a pipe."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            asked.put(requests.recv())
    os._exit(0)


def _answer(detector: Detector, paths: list[Path], batch: int | None) -> Answer:
    try:
        findings = detector.detect_together(paths, batch=batch)
    except Exception as error:
        error.add_note(traceback.format_exc())  # which a pickle leaves behind
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return RuntimeError(f"{type(error).__name__}: {error}")
        return error
    return findings if all(each.final for each in findings) else None
