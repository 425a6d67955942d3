"""The workers of a batch: who does which part, and what happens when one is killed."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tumorscope.common.errors import InputError
from tumorscope.common.progress import say
from tumorscope.common.words import counted
from tumorscope.detection.detector import Detector
from tumorscope.detection.journal import Record
from tumorscope.detection.ray_batch.listing import Entry
from tumorscope.detection.ray_batch.parts import Part
from tumorscope.detection.ray_batch.store import Counts, Store
from tumorscope.detection.ray_batch.worker import Worker, ended_the_process

TRIES = 3
"""How often a part is handed out whole before its files are tried one by one: a machine that goes
takes a part with it, and so does a file at which the process ends."""

AHEAD = 2
"""Parts per worker that may be handed out or wait for those before them."""


class Crew:
    """Workers that hold a detector each, and the parts that they have in hand.

    Parameters
    ----------
    ray : module
        Connected.
    detector : Detector
        Sent to each worker once.
    store : Store
        Where tables go.
    workers : int, optional
        One per core of the cluster by default, and not more than it has cores when it is asked; one
        per graphics card for the engine cuda.

    Raises
    ------
    InputError
        If the cluster has no core, or fewer graphics cards than workers that need one.
    """

    def __init__(
        self, ray: Any, detector: Detector, store: Store, *, workers: int | None = None
    ) -> None:
        self._on_cards = detector.engine == "cuda"
        count = _cards(ray, workers) if self._on_cards else _cores(ray, workers)
        self._ray, self._detector, self._store = ray, detector, store
        self._shared = ray.put((detector, store, str(Path.cwd())))
        self._idle = [self._new() for _ in range(count)]
        self._count = count
        self._check(self._idle[0])
        self._queue: list[Part] = []
        self._busy: dict[Any, tuple[Any, Part]] = {}
        self._tried: Counter[str] = Counter()
        self._done: dict[str, Counts] = {}

    @property
    def ahead(self) -> int:
        """How many parts may be under way, so that memory does not grow."""
        return AHEAD * self._count

    @property
    def full(self) -> bool:
        """Whether enough is handed out."""
        return len(self._queue) + len(self._busy) >= self.ahead

    def begin(self, part: Part) -> None:
        """Hand out a part, now or when a worker is free."""
        self._queue.append(part)
        self._hand_out()

    def wait_for(self, part: Part) -> Counts:
        """Return what a part that was handed out holds, once it is done.

        Raises
        ------
        TumorscopeError
            What a worker raised.
        """
        while part.key not in self._done:
            ready, _ = self._ray.wait(list(self._busy), num_returns=1)
            for future in ready:
                self._take(future)
            self._hand_out()
        return self._done.pop(part.key)

    def _check(self, worker: Any) -> None:
        """Make sure that a worker can begin, and is of this version."""
        try:
            there = self._ray.get(worker.version.remote())
        except self._ray.exceptions.RayError as error:
            raise InputError(
                "The workers cannot begin. Expected tumorscope, of this version, and what it needs "
                f"on every machine of the cluster. Ray says: {_last_line(error)}"
            ) from error
        if there != (here := version("tumorscope")):
            raise InputError(
                f"The workers have tumorscope {there}; expected {here}, as here. Install the same "
                "on every machine of the cluster."
            )

    def _new(self) -> Any:
        card = {"num_gpus": 1} if self._on_cards else {}
        remote = self._ray.remote(num_cpus=1, **card)(_Remote)
        return remote.remote(self._shared)

    def _hand_out(self) -> None:
        while self._queue and self._idle:
            worker, part = self._idle.pop(), self._queue.pop(0)
            self._busy[worker.write.remote(part)] = worker, part

    def _take(self, future: Any) -> None:
        worker, part = self._busy.pop(future)
        try:
            counts: Counts = self._ray.get(future)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayActorError:
            self._tried[part.key] += 1
            if self._tried[part.key] < TRIES:
                self._idle.append(self._new())
                self._queue.insert(0, part)
                return
            # On the core of the worker that ended: the one in its place comes afterwards.
            rows = self._one_by_one(list(part.entries))
            counts = self._store.write_table(part.table, rows)
            worker = self._new()
        self._idle.append(worker)
        self._done[part.key] = counts

    def _one_by_one(self, entries: list[Entry]) -> list[Record]:
        """Return the rows of a part in which some file ends the process that reads it."""
        worker = self._new()
        try:
            rows: list[Record] = self._ray.get(worker.answer.remote(entries))
        except self._ray.exceptions.RayActorError:
            if len(entries) == 1:
                return [ended_the_process(entries[0], self._detector)]
            half = len(entries) // 2
            return self._one_by_one(entries[:half]) + self._one_by_one(entries[half:])
        self._ray.kill(worker)
        return rows


def _cores(ray: Any, workers: int | None) -> int:
    there = int(ray.cluster_resources().get("CPU", 0))
    if there < 1:
        raise InputError("The cluster has no cores. Expected at least one. Start a worker.")
    if workers is not None and workers > there:  # the others would wait for a core for ever
        say(f"The cluster has {counted(there, 'core')}, so {there} of {workers} workers start.")
    return min(workers or there, there)


def _cards(ray: Any, workers: int | None) -> int:
    there = int(ray.cluster_resources().get("GPU", 0))
    count = workers or there
    if not 0 < count <= there:  # those without a card would wait for one for ever
        raise InputError(
            f"The cluster has {counted(there, 'graphics card')} for {count or 'some'} workers with "
            "the engine cuda. Expected one card for each. Start machines with cards, lower "
            "--workers, or leave the engine out to compute on processors."
        )
    return count


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


class _Remote(Worker):
    """A worker that takes what was put into Ray's store for all of them."""

    def __init__(self, shared: tuple[Detector, Store, str]) -> None:
        detector, store, here = shared
        super().__init__(detector, store)
        # Paths may be relative to where the batch was begun.
        with contextlib.suppress(OSError):
            os.chdir(here)
