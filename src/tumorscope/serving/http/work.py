"""What the threads of the queues do: ask the detector, and note answers and failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

from tumorscope.common.errors import OutputError, TumorscopeError
from tumorscope.common.faults import FULL
from tumorscope.detection.detector import Detector
from tumorscope.serving.http.archive import unpack
from tumorscope.serving.http.job import Job, StoppedError, note_fault
from tumorscope.serving.http.limits import Limits
from tumorscope.serving.http.pictures import add_picture
from tumorscope.serving.http.problems import INTERNAL, Problem, no_space
from tumorscope.serving.http.store import Store
from tumorscope.serving.http.uploads import Receiver, Upload

BATCH = 8
"""Pictures of a batch for each thread of the detector: the last ones of it leave cores idle."""


def look_at_pictures(
    jobs: Sequence[Job], detector: Detector, *, batch: int | None = None
) -> list[Job]:
    """Look at the next pictures of the requests, one of each in turns; return whose those were."""
    for job in jobs:
        _guarded(job, job.check)
    failed = [job for job in jobs if job.state == "failed"]
    taken = _in_turns([job for job in jobs if job.state != "failed"], BATCH * detector.threads)
    served = list(dict.fromkeys(job for job, _ in taken))
    for job in served:
        _begin(job)
    try:
        findings = detector.detect_many([upload.path for _, upload in taken], batch=batch)
        for (job, upload), finding in zip(taken, findings, strict=True):
            _guarded(job, partial(add_picture, job, upload, finding))
    except Exception as error:
        for job in served:
            _fail(job, error)
    for job in served:
        if job.state == "running" and len(job.rows) == len(job.uploads):
            job.state = "done"
    return failed + served


def _in_turns(jobs: Sequence[Job], most: int) -> list[tuple[Job, Upload]]:
    left = (
        [(job, upload) for upload in job.uploads[len(job.rows) : len(job.rows) + most]]
        for job in jobs
    )
    return [each for turn in zip_longest(*left) for each in turn if each is not None][:most]


def look_at_volumes(
    jobs: Sequence[Job], detector: Detector, store: Store, limits: Limits
) -> list[Job]:
    """Look at all of the first request; return it."""
    job = jobs[0]
    _begin(job)
    _guarded(job, partial(_look_at_all, job, detector, store, limits))
    return [job]


def _look_at_all(job: Job, detector: Detector, store: Store, limits: Limits) -> None:
    job.check()
    files = _unpacked(job, store, limits)
    others = [each for each in files if each.kind != "picture"]
    # What is neither is told apart beside volumes, and called unreadable beside pictures.
    volumes = any(each.kind == "volume" for each in others)
    pictures = [each for each in files if each.kind == "picture"] if volumes else files

    def watched() -> Iterator[Path]:
        for each in pictures:
            job.check()
            yield each.path

    for upload, finding in zip(pictures, detector.detect_many(watched()), strict=True):
        add_picture(job, upload, finding)
    if volumes:
        # Here, because it loads what reads volumes.
        from tumorscope.serving.http.volumes import add_volumes

        add_volumes(job, others, detector)
    job.state = "done"


def _unpacked(job: Job, store: Store, limits: Limits) -> list[Upload]:
    """Return the files of a request, with the members of archives in their place."""
    files: list[Upload] = []
    room = limits.unpacked
    for number, upload in enumerate(job.uploads):
        if upload.kind != "archive":
            files.append(upload)
            continue
        allowed = replace(limits, files=max(1, limits.files - len(files)))
        receiver = Receiver(job.place, store, allowed, prefix=f"z{number}-", most=max(1, room))
        try:
            unpack(upload, receiver, limits)
        finally:
            job.reserved += receiver.bytes
        job.check()
        room -= receiver.bytes
        files += receiver.files
        upload.path.unlink()  # its members are what is needed
    if not files:
        raise Problem(
            422,
            received="Received archives in which there are no files.",
            expected="Expected pictures, DICOM files or NIfTI files in them.",
            what_to_do="Pack the folder of the study again.",
        )
    return files


def _begin(job: Job) -> None:
    if job.state == "queued":
        job.state, job.begun = "running", time.monotonic()


def _guarded(job: Job, work: Callable[[], None]) -> None:
    """Do something for a job; what fails is the job's failure alone."""
    try:
        work()
    except Exception as error:
        _fail(job, error)


def _fail(job: Job, error: Exception) -> None:
    job.state = "failed"
    if isinstance(error, StoppedError):
        job.cancelled = True
    elif isinstance(error, Problem):
        job.problem = error
    elif isinstance(error, OutputError) or getattr(error, "errno", None) in FULL:
        job.problem = no_space("results")
    elif isinstance(error, TumorscopeError):
        job.problem = Problem(
            422,
            received=str(error),
            expected="Expected files that the service can look at.",
            what_to_do="Send other files, or tell those who run the service.",
        )
    else:
        job.problem = INTERNAL
        note_fault(job, error)
