"""A detector over any number of files: in order, in constant memory, resumable, never stopping."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tumorscope.common.files import sha256_of
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import Found, as_text
from tumorscope.detection.finding import Finding
from tumorscope.detection.journal import Record, ResultLog
from tumorscope.imaging.read import read_slice
from tumorscope.model_file.schema import Metadata

AHEAD = 2
"""Overlays per core that may wait for their turn."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results.

    Attributes
    ----------
    values : dict
        By column of `tumorscope.detection.tables.COLUMNS`.
    resumed : bool
        Whether an earlier run computed it.
    """

    values: Record
    resumed: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    found: Found
    sha256: str
    known: Record | None


_Pair = tuple[_Waiting, Finding | None]


def run_batch(
    detector: Detector,
    images: Iterable[Found],
    *,
    log: ResultLog | None = None,
    overlays: Path | None = None,
    batch: int | None = None,
) -> Iterator[Row]:
    """Yield one row per image, in the order of `images`.

    A file that cannot be read is a row with its reason. What `log` knows by the content of a file
    is not computed again, unless its overlay is missing.

    Parameters
    ----------
    detector : Detector
        What answers.
    images : iterable of Found
        Consumed lazily.
    log : ResultLog, optional
        Every new row is appended, after its overlay was written.
    overlays : Path, optional
        Folder for one PNG per image that was read.
    batch : int, optional
        Images per run of the engine.

    Raises
    ------
    OutputError
        If the log or an overlay cannot be written.
    """
    waiting: deque[_Waiting] = deque()
    images = iter(images)

    def known(found: Found) -> _Waiting:
        sha256 = _hash(found.path) if log is not None else ""
        record = log.get(sha256) if log is not None and sha256 else None
        if record is not None and overlays is not None and record["decision"] != "unreadable":
            record = record if (overlays / found.place).is_file() else None
        return _Waiting(found, sha256, record)

    def new() -> Iterator[Path]:
        for found in images:
            item = known(found)
            waiting.append(item)
            if item.known is None:
                yield found.path

    # A resumed batch begins with what was finished; none of it needs to wait for the engine.
    for found in images:
        item = known(found)
        if item.known is None:
            images = _put_back(found, images)
            break
        yield Row({**item.known, "path": as_text(found.path)}, resumed=True)

    pairs = _pairs(detector.detect_many(new(), batch=batch), waiting)
    if overlays is not None:
        pairs = _painted(pairs, detector, overlays)
    for item, finding in pairs:
        if finding is None:
            assert item.known is not None
            yield Row({**item.known, "path": as_text(item.found.path)}, resumed=True)
            continue
        values = {"path": as_text(item.found.path), **_values(finding), "sha256": item.sha256}
        if log is not None:
            log.append(values)
        yield Row(values, resumed=False)


def _pairs(findings: Iterator[Finding], waiting: deque[_Waiting]) -> Iterator[_Pair]:
    """Join findings with the files they are of; a file that was known comes without one."""
    for finding in findings:
        while waiting[0].known is not None:
            yield waiting.popleft(), None
        yield waiting.popleft(), finding
    while waiting:
        yield waiting.popleft(), None


def _painted(pairs: Iterator[_Pair], detector: Detector, folder: Path) -> Iterator[_Pair]:
    """Yield the same pairs once their overlays are written, beside inference, a few at a time."""
    waiting: deque[tuple[_Pair, Future[None]]] = deque()
    pool = ThreadPoolExecutor(detector.threads, thread_name_prefix="overlay")
    try:
        for item, finding in pairs:
            future = pool.submit(_paint, item.found, finding, detector.metadata, folder)
            waiting.append(((item, finding), future))
            if len(waiting) >= AHEAD * detector.threads:
                pair, future = waiting.popleft()
                future.result()
                yield pair
        while waiting:
            pair, future = waiting.popleft()
            future.result()
            yield pair
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _paint(found: Found, finding: Finding | None, metadata: Metadata, folder: Path) -> None:
    from tumorscope.detection.overlay import write_overlay

    if finding is not None and finding.decision != "unreadable":
        write_overlay(folder / found.place, read_slice(found.path), finding, metadata)


def _put_back(first: Found, rest: Iterator[Found]) -> Iterator[Found]:
    yield first
    yield from rest


def _values(finding: Finding) -> Record:
    return {
        "probability": finding.probability,
        "decision": finding.decision,
        "reasons": ";".join(finding.reasons),
        "seen": finding.seen,
        "model": finding.model,
        "ms": round(finding.ms, 3),
        "operating_point": finding.operating_point,
        "threshold": finding.threshold,
        "prediction_set": ";".join(finding.prediction_set),
        "distance": finding.distance,
        "logit": finding.logit,
    }


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""  # the reader will say what is wrong with it
