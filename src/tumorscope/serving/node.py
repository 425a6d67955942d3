"""A DICOM node: receives, waits until a series is complete, answers it, and delivers the results.

Three threads share the spool, which is the only state: one receives, one answers, one delivers.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from ssl import SSLContext

from tumorscope.common.errors import OutputError
from tumorscope.common.locks import writing
from tumorscope.common.progress import say
from tumorscope.common.words import counted
from tumorscope.serving.answering import Answer, Answering, AnswerLaterError, Load
from tumorscope.serving.delivering import Delivering
from tumorscope.serving.node_settings import NodeSettings
from tumorscope.serving.node_status import BEAT_SECONDS, NodeStatus
from tumorscope.serving.receiver import Receiver
from tumorscope.serving.sender import Deliver, DeliveryError, putting_into, sending_to
from tumorscope.serving.spool import DELIVERED, Spool
from tumorscope.serving.tally import Tally

LOOK_SECONDS = 0.2
"""How often the threads look whether there is something to do."""

PURGE_SECONDS = 60.0
LATER_SECONDS = 10.0
"""Wait after something that may be better soon: a full disk, or a fault."""


class Node:
    """A node that runs in this process, but for the answering.

    Parameters
    ----------
    settings : NodeSettings
        Who may send, and where results go.
    load : callable
        Loads what answers series, in a process of its own.
    tls : SSLContext, optional
        For connections that come in.
    tls_out : SSLContext, optional
        For the connection to who gets the results.

    Raises
    ------
    TumorscopeError
        If the model cannot be used.
    """

    def __init__(
        self,
        settings: NodeSettings,
        load: Load,
        *,
        tls: SSLContext | None = None,
        tls_out: SSLContext | None = None,
    ) -> None:
        self._settings, self._tally, self._stop = settings, Tally(), threading.Event()
        self._started = time.time()
        limits = settings.limits
        self._spool = Spool(
            settings.spool, most_bytes=limits.spool_bytes, spare_bytes=limits.spare_bytes
        )
        self._delivering = Delivering(self._spool, _way(settings, tls_out))
        # First the port: to find it taken is quick, to load a model is not.
        self._receiver = Receiver(settings, self._spool, self._tally, say=say, tls=tls)
        try:
            self._answering = Answering(load)
        except BaseException:
            self._receiver.close()
            raise

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._receiver.port

    def stop(self) -> None:
        """Let `run` end; may be called by a signal."""
        self._stop.set()

    def run(self) -> None:
        """Run until `stop` is called; nothing that was acknowledged is lost by that."""
        work = [self._receiver.serve, self._answer_all, self._deliver_all]
        threads = [
            threading.Thread(target=copy_context().run, args=(each,), daemon=True) for each in work
        ]
        for thread in threads:
            thread.start()
        try:
            self._watch()
        finally:
            self._stop.set()
            self._receiver.stop()
            self._answering.stop()
            for thread in threads:
                thread.join(LATER_SECONDS)
            self._beat("stopped")

    def _watch(self) -> None:
        purged = float("-inf")
        while True:
            self._beat("running")
            if time.monotonic() - purged > PURGE_SECONDS:
                purged = time.monotonic()
                with self._guarded():
                    self._spool.purge(self._settings.retention)
            if self._stop.wait(BEAT_SECONDS):
                return

    def _answer_all(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with self._guarded():
                self._spool.obey()
            for key in self._spool.complete(self._settings.quiet_seconds):
                if self._stop.is_set():
                    return
                with self._guarded():
                    self._answer(key)

    def _answer(self, key: str) -> None:
        snapshot = self._spool.snapshot(key)
        made = self._spool.workplace()
        try:
            answer = self._answering.answer(snapshot.paths, made)
            if self._stop.is_set():  # then it failed because the process was ended
                return
            if not answer.objects:
                (made / DELIVERED).touch()
            self._spool.answer(snapshot, made)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        self._count(answer)
        say(f"Series {key[-8:]}, {counted(answer.instances, 'instance')}: {answer.words}.")

    def _count(self, answer: Answer) -> None:
        self._tally.add("results_made", answer.objects)
        if answer.failed:
            self._tally.add("series_failed")
        elif answer.decisions:
            self._tally.add("series_answered")
        else:
            self._tally.add("series_passed_over")

    def _deliver_all(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            for place in self._delivering.due():
                if self._stop.is_set():
                    return
                with self._guarded():
                    if not self._delivered(place):
                        break

    def _delivered(self, place: Path) -> bool:
        """Deliver an answer; return whether it makes sense to go on with others."""
        try:
            objects = self._delivering.attempt(place)
        except DeliveryError as error:
            self._tally.add("delivery_failures")
            say(f"Not delivered: {error}. It is kept, and tried again.")
            return not error.for_all
        self._tally.add("results_delivered", objects)
        return True

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Go on after an error, a little later: the spool still holds what there is to do."""
        try:
            yield
        except Exception as error:
            if self._stop.is_set():
                return
            self._tally.add("faults")
            later = isinstance(error, AnswerLaterError | OutputError | OSError)
            what = "No room for results" if later else "A fault of the node"
            say(f"{what} ({type(error).__name__}); going on in {LATER_SECONDS:.0f} s.")
            self._stop.wait(LATER_SECONDS)

    def _beat(self, state: str) -> None:
        """Write how it is doing."""
        settings = self._settings
        status = NodeStatus(
            state=state,
            beat=time.time(),
            started=self._started,
            title=settings.title,
            host=settings.host,
            port=self.port,
            model=self._answering.model,
            open_series=self._spool.open_series,
            undelivered=len(self._spool.undelivered()),
            spool_bytes=self._spool.used,
            failures_in_a_row=self._delivering.failures_in_a_row,
            last_failure=self._delivering.last_failure,
            counts=self._tally.counts(),
        )
        with self._guarded():
            status.write(settings.spool)


def run_node(
    settings: NodeSettings,
    load: Load,
    *,
    tls: SSLContext | None = None,
    tls_out: SSLContext | None = None,
    ready: Callable[[Node], None],
) -> None:
    """Run a node, the only one of its spool, until it is stopped.

    Parameters
    ----------
    settings, load, tls, tls_out
        See `Node`.
    ready : callable
        Is given the node once it listens.

    Raises
    ------
    BusyError
        If another node has this spool.
    TumorscopeError
        If the model cannot be used, or the port is taken.
    """
    with writing(settings.spool):
        node = Node(settings, load, tls=tls, tls_out=tls_out)
        ready(node)
        node.run()


def _way(settings: NodeSettings, tls: SSLContext | None) -> Deliver:
    if settings.send_to is not None:
        return sending_to(settings.send_to, calling=settings.title, tls=tls)
    assert settings.results is not None
    return putting_into(settings.results)
