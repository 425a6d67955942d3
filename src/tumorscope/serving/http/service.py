"""The service without its wire: detector, spool, queues, and what is being worked on."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Sequence

from tumorscope.common.limits import check_whole
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import own_version
from tumorscope.detection.detector import Detector
from tumorscope.serving.http.documents import write_answer
from tumorscope.serving.http.job import Job
from tumorscope.serving.http.lanes import Lane
from tumorscope.serving.http.limits import Limits
from tumorscope.serving.http.metrics import Metrics
from tumorscope.serving.http.problems import no_space, not_found, too_busy
from tumorscope.serving.http.store import Store
from tumorscope.serving.http.work import look_at_pictures, look_at_volumes


class Service:
    """What answers requests for findings.

    Parameters
    ----------
    detector : Detector
        Of all requests.
    store : Store
        Where they and their answers lie.
    limits : Limits
        What is taken at most.
    batch : int, optional
        Pictures per run of the engine; see `tumorscope.Detector.detect_many`.
    """

    def __init__(
        self, detector: Detector, store: Store, limits: Limits, *, batch: int | None = None
    ) -> None:
        if batch is not None:
            check_whole("batch", batch, at_least=1)
        self.detector, self.store, self.limits = detector, store, limits
        self.metrics = Metrics()
        self.active: dict[str, Job] = {}
        self._ending = threading.Lock()

        def pictures(jobs: Sequence[Job]) -> list[Job]:
            return look_at_pictures(jobs, detector, batch=batch)

        def volumes(jobs: Sequence[Job]) -> list[Job]:
            return look_at_volumes(jobs, detector, store, limits)

        most = limits.waiting
        self.pictures = Lane("pictures", pictures, self._finish, most=most)
        self.volumes = Lane("volumes", volumes, self._finish, most=most)

    @property
    def ready(self) -> bool:
        """Whether requests are worked on."""
        return self.pictures.alive and self.volumes.alive

    def start(self) -> None:
        """Begin to work."""
        self.pictures.start()
        self.volumes.start()

    def stop(self) -> None:
        """End, and drop what is not finished."""
        self.pictures.stop()
        self.volumes.stop()

    def check_room(self, *, heavy: bool) -> None:
        """Refuse a request before it is read, where there is no room for it.

        Raises
        ------
        Problem
            503 with Retry-After.
        """
        lane = self.volumes if heavy else self.pictures
        if lane.full:
            raise too_busy(lane.turn_away())

    def add(self, job: Job) -> None:
        """Queue a request.

        Raises
        ------
        Problem
            503 with Retry-After, if the queue is full.
        """
        job.total = None if job.heavy else len(job.uploads)
        self.active[job.id] = job
        lane = self.volumes if job.heavy else self.pictures
        if not lane.add(job):
            del self.active[job.id]
            raise too_busy(lane.turn_away())

    def working_on(self, name: str) -> Job | None:
        """Return a request that is not answered yet; None if it is, or is not known.

        Raises
        ------
        Problem
            404, if it was deleted.
        """
        job = self.active.get(name)
        if job is not None and job.cancelled:
            raise not_found("findings that were deleted")
        return job

    def remove(self, name: str) -> None:
        """Delete a request with all that was sent and found.

        Raises
        ------
        Problem
            404, if there is none.
        """
        with self._ending:
            job = self.active.get(name)
            if job is not None and not job.cancelled:
                job.cancelled = True  # its thread deletes it
                return
        self.store.remove(self.store.place(name))

    def gauges(self) -> dict[str, float]:
        """Return what has a value at present."""
        return {
            "waiting_pictures": self.pictures.waiting,
            "waiting_volumes": self.volumes.waiting,
            "spool_bytes": self.store.used,
        }

    def about(self) -> dict[str, object]:
        """Return what the model is, and what the service takes."""
        metadata, limits = self.detector.metadata, self.limits
        return {
            "notice": RESEARCH_USE_ONLY,
            "version": own_version(),
            "model": self.detector.model_id,
            "name": metadata.name,
            "created": metadata.created,
            "engine": self.detector.engine,
            "operating_point": self.detector.operating_point,
            "zone": list(self.detector.zone),
            "thresholds": {
                name: point.threshold for name, point in metadata.operating_points.items()
            },
            "series": metadata.series is not None,
            "looks_for_known_images": self.detector.check_seen,
            "limits": {
                "request_bytes": limits.request,
                "files": limits.files,
                "unpacked_bytes": limits.unpacked,
                "requests_per_second": limits.rate,
                "retention_seconds": limits.retention,
            },
        }

    def _finish(self, job: Job) -> None:
        try:
            if job.cancelled:
                self.store.remove(job.place, counted=job.reserved)
                return
            if job.state == "failed":
                # Nothing is shown of what was sent, so nothing of it is kept.
                for path in job.place.iterdir():
                    path.unlink() if path.is_file() else shutil.rmtree(path)
            job.text = write_answer(job, self.detector, retention=self.limits.retention)
            if job.heavy or job.state == "failed":
                self.store.settle(job.place, job.reserved)
            else:  # what it takes is known, and looking costs as much as writing it
                self.store.settle(job.place, job.reserved, to=job.reserved + job.kept)
        except OSError:  # the disk is full; a folder without an answer is none
            job.cancelled, job.problem = True, no_space("results")
            self.store.remove(job.place, counted=job.reserved)
        finally:
            with self._ending:
                self.active.pop(job.id, None)
                late = job.cancelled and job.place.exists()  # deleted a moment ago
            if late:
                self.store.remove(job.place)
            decisions = Counter(str(row["decision"]) for row in job.rows)
            state = "cancelled" if job.cancelled else job.state
            self.metrics.answered(state, time.time() - job.created, decisions)
