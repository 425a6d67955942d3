"""A detector over any number of files: in order, in constant memory, resumable, never stopping."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tumorscope.common.files import sha256_of
from tumorscope.common.names import as_text
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import Found
from tumorscope.detection.finding import Finding
from tumorscope.detection.in_processes import Processes
from tumorscope.detection.journal import Record, ResultLog
from tumorscope.detection.pictures import Pictures
from tumorscope.detection.records import (
    EVIDENCE,
    Result,
    finding_of,
    record_of,
    with_evidence,
    without_evidence,
)


@dataclass(frozen=True, slots=True)
class _Item:
    """A file, and what an earlier run wrote about its content."""

    found: Found
    sha256: str
    known: Record | None


def run_batch(
    detector: Detector,
    images: Iterable[Found],
    *,
    log: ResultLog | None = None,
    pictures: Pictures | None = None,
    batch: int | None = None,
    processes: Processes | None = None,
) -> Iterator[Result]:
    """Yield one result per image, in the order of `images`.

    A file that cannot be read is a result with its reason. What `log` knows by the content of a
    file is not computed again, unless its overlay is missing, or a thumbnail is wanted and the log
    holds no evidence.

    Parameters
    ----------
    detector : Detector
        What answers.
    images : iterable of Found
        Consumed lazily.
    log : ResultLog, optional
        Every new result is appended, after its pictures were drawn; but for those of images for
        which memory did not suffice, which are tried again.
    pictures : Pictures, optional
        What is drawn of each image that was read.
    batch : int, optional
        Images per run of the engine.
    processes : Processes, optional
        These answer in place of the detector's threads.

    Raises
    ------
    OutputError
        If the log or an overlay cannot be written.
    """
    items = (_look_up(found, log, pictures) for found in images)
    results = _answered(detector, items, batch, processes)
    if pictures is not None:
        results = pictures.drawn(results, detector)
    keeps_evidence = pictures is not None and pictures.thumbnails
    for result in results:
        fresh = None if result.resumed else result.finding
        if log is not None and fresh is not None and fresh.final:
            values = result.values
            log.append(with_evidence(values, fresh) if keeps_evidence else values)
        yield result


def _look_up(found: Found, log: ResultLog | None, pictures: Pictures | None) -> _Item:
    if log is None:
        return _Item(found, "", None)
    sha256 = _hash(found.path)
    record = log.get(sha256) if sha256 else None
    if record is not None and pictures is not None and pictures.need(found, record):
        record = None
    return _Item(found, sha256, record)


def _answered(
    detector: Detector, items: Iterator[_Item], batch: int | None, processes: Processes | None
) -> Iterator[Result]:
    """Ask the detector about what is not known, and keep the order of the files."""
    # A resumed batch begins with what was finished; none of it needs to wait for the engine.
    for item in items:
        if item.known is None:
            items = itertools.chain([item], items)
            break
        yield _result(item, None, detector)
    waiting: deque[_Item] = deque()

    def unknown() -> Iterator[Path]:
        for item in items:
            waiting.append(item)
            if item.known is None:
                yield item.found.path

    for finding in (processes or detector).detect_many(unknown(), batch=batch):
        while waiting[0].known is not None:
            yield _result(waiting.popleft(), None, detector)
        yield _result(waiting.popleft(), finding, detector)
    for item in waiting:
        yield _result(item, None, detector)


def _result(item: _Item, finding: Finding | None, detector: Detector) -> Result:
    path = as_text(item.found.path)
    if finding is not None:
        values = record_of(finding, path=path, sha256=item.sha256)
        return Result(item.found, values, resumed=False, finding=finding)
    assert item.known is not None
    record = {**item.known, "path": path}
    if all(name in record for name in EVIDENCE):
        finding = finding_of(record, zone=detector.zone)
    return Result(item.found, without_evidence(record), resumed=True, finding=finding)


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""  # the reader will say what is wrong with it
