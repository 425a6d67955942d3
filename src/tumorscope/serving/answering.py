"""The instances of a series → findings → DICOM results, in a process of its own.

Decoders end the process that they run in when pixels are damaged cleverly enough. That must not
end the one that receives, so this is another, and a new one is started where it has ended.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.errors import OutputError
from tumorscope.common.files import write_json
from tumorscope.common.progress import quiet

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from tumorscope.detection.detector import Detector
    from tumorscope.detection.looking import Looking

PATIENCE = 900.0
"""Seconds after which a series is given up."""

START_PATIENCE = 300.0
"""Seconds for loading the model on a busy machine."""

ANSWER = "answer.json"


Load = Callable[[], "Detector"]
"""Loads the detector in that process, to which it must be possible to send this function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a series: what ``answer.json`` holds.

    Attributes
    ----------
    instances : int
        How many were looked at.
    decisions : tuple of str
        Of each volume in it; none where it holds nothing to look at.
    not_read : mapping
        Reason → how many images.
    objects : int
        How many DICOM results there are.
    failed : str
        What kept it from being answered; else empty.
    model, finished : str
        Who answered, and when (UTC).
    """

    instances: int
    decisions: tuple[str, ...] = ()
    not_read: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    failed: str = ""
    model: str = ""
    finished: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def write(self, folder: Path) -> None:
        """Put it beside the results."""
        write_json(folder / ANSWER, asdict(self))

    @property
    def words(self) -> str:
        """For people: no names and no identifiers."""
        if self.failed:
            return f"not answered ({self.failed})"
        if self.decisions:
            return ", ".join(self.decisions)
        why = ", ".join(f"{number} {reason}" for reason, number in self.not_read.items())
        return f"nothing to look at ({why})" if why else "nothing to look at"


class AnswerLaterError(Exception):
    """A series cannot be answered now, through no fault of its own: the disk is full."""


def answer_series(
    detector: Detector, paths: Sequence[Path], folder: Path, *, how: Looking | None = None
) -> Answer:
    """Look at the instances of a series, and write the results and what became of it to a folder.

    Raises
    ------
    OutputError
        If the results cannot be written.
    MemoryError
        If the memory does not suffice: what was not read for that is not final.
    """
    from tumorscope.detection.looking import USUALLY
    from tumorscope.detection.series import detect_study
    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.scans import index_study
    from tumorscope.scans.in_flight import NO_MEMORY
    from tumorscope.serving.dicom_results import write_results

    decisions: list[str] = []
    not_read: Counter[str] = Counter()
    objects = 0
    for found in detect_study(detector, index_study(list(paths)), how=how or USUALLY):
        if isinstance(found, SeriesFinding):
            objects += len(write_results(found, detector.metadata, folder))
            decisions.append(found.decision)
        elif found.detail == NO_MEMORY:
            raise MemoryError  # of this process; one that begins anew may have enough
        else:
            not_read[found.reason] += found.images
    answer = Answer(
        instances=len(paths),
        decisions=tuple(decisions),
        not_read=dict(not_read),
        objects=objects,
        model=detector.model_id,
    )
    answer.write(folder)
    return answer


class Answering:
    """The process that answers series, one after the other.

    Parameters
    ----------
    load : callable
        Loads what answers.

    Raises
    ------
    TumorscopeError
        If the model cannot be used.
    """

    def __init__(self, load: Load) -> None:
        self._load, self._ended = load, False
        self._process: multiprocessing.process.BaseProcess | None = None
        self.model = self._start()
        """Which model answers."""

    def answer(self, paths: Sequence[Path], folder: Path) -> Answer:
        """Answer a series; one that ends the process twice, or takes too long, has failed.

        Raises
        ------
        AnswerLaterError
            If the results cannot be written now.
        """
        for _ in range(2):
            _clear(folder)
            outcome = self._once(paths, folder)
            if isinstance(outcome, Answer):
                return outcome
        _clear(folder)
        failed = Answer(instances=len(paths), failed="its reading ended the process or took long")
        failed.write(folder)
        return failed

    def stop(self) -> None:
        """End the process, at once and for good; may be called by another thread."""
        self._ended = True
        self._kill()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
            self._pipe.close()

    def _once(self, paths: Sequence[Path], folder: Path) -> Answer | None:
        """Return what became of a series; None where it ended the process."""
        if self._ended:
            raise AnswerLaterError("stopped")
        if self._process is None:
            self._start()
        try:
            self._pipe.send(([*paths], folder))
            if not self._pipe.poll(PATIENCE):
                raise EOFError
            outcome: Answer | AnswerLaterError = self._pipe.recv()
        except (EOFError, OSError):
            self._kill()
            return None
        if isinstance(outcome, AnswerLaterError):
            raise outcome
        if outcome.failed:
            _clear(folder)
            outcome.write(folder)
        return outcome

    def _start(self) -> str:
        # Not forked, because other threads of this process may hold locks at that moment.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._load), daemon=True)
        process.start()
        theirs.close()
        self._process = process
        try:
            ready = self._pipe.recv() if self._pipe.poll(START_PATIENCE) else None
        except EOFError:
            ready = None
        if isinstance(ready, str):
            return ready
        self._kill()
        raise ready if isinstance(ready, Exception) else RuntimeError("the process did not start")


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _work(pipe: Connection, load: Load) -> None:
    """Be that process."""
    _alone()
    try:
        detector = load()
    except Exception as error:
        pipe.send(error)
        return
    pipe.send(detector.model_id)
    with quiet(), contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            paths, folder = pipe.recv()
            pipe.send(_told(detector, paths, folder))


def _told(detector: Detector, paths: Sequence[Path], folder: Path) -> Answer | AnswerLaterError:
    try:
        return answer_series(detector, paths, folder)
    except MemoryError:
        os._exit(1)  # what is left of the process cannot be trusted
    except (OutputError, OSError) as error:
        return AnswerLaterError(type(error).__name__)
    except Exception as error:  # what it says may hold names; its kind is enough
        return Answer(instances=len(paths), failed=type(error).__name__)


def _alone() -> None:
    """End with the process that started this one, print nothing, and let it decide when to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(0)
