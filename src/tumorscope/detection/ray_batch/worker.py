"""What one worker of a cluster does: files of a part in, a table of their rows out."""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.files import sha256_of
from tumorscope.common.names import as_text
from tumorscope.detection.detector import Detector
from tumorscope.detection.journal import Record
from tumorscope.detection.ray_batch.listing import Entry, file_system
from tumorscope.detection.ray_batch.parts import Part
from tumorscope.detection.ray_batch.store import Counts, Store
from tumorscope.detection.records import record_of
from tumorscope.imaging.opening import MAX_BYTES

FETCHES = 8
"""Files that are fetched at the same time: an object store takes longer to begin an answer than a
core to give a finding."""


class Worker:
    """A process that holds a detector and answers parts, one after the other.

    Parameters
    ----------
    detector : Detector
        With as many threads as this worker has cores.
    store : Store
        Where tables go.
    """

    def __init__(self, detector: Detector, store: Store) -> None:
        self._detector, self._store = detector, store

    def version(self) -> str:
        """Return which tumorscope this is."""
        return version("tumorscope")

    def answer(self, entries: Sequence[Entry]) -> list[Record]:
        """Return one row per file, in their order; a file that cannot be read is a row."""
        return rows_of(self._detector, entries)

    def write(self, part: Part) -> Counts:
        """Write the table of a part, and return what it holds."""
        return self._store.write_table(part.table, self.answer(part.entries))


def rows_of(detector: Detector, entries: Sequence[Entry]) -> list[Record]:
    """Return one row per file, as `tumorscope predict` writes it."""
    digests: list[str] = []
    failures: dict[int, str] = {}

    def images() -> Iterator[Path | bytes]:
        for number, (image, digest, failure) in enumerate(_opened_ahead(entries)):
            if failure:
                failures[number] = failure
            digests.append(digest)
            yield image

    rows = []
    for number, finding in enumerate(detector.detect_many(images())):
        row = record_of(finding, path=as_text(entries[number].path), sha256=digests[number])
        if number in failures:
            row["reasons"] = f"unreadable: {failures[number]}"
        rows.append(row)
    return rows


def _opened_ahead(entries: Sequence[Entry]) -> Iterator[tuple[Path | bytes, str, str]]:
    """Yield what `_opened` returns, in order, while those that follow are on their way."""
    with ThreadPoolExecutor(FETCHES, thread_name_prefix="tumorscope-fetch") as pool:
        waiting: deque[Future[tuple[Path | bytes, str, str]]] = deque()
        for entry in entries:
            waiting.append(pool.submit(_opened, entry))
            if len(waiting) > FETCHES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _opened(entry: Entry) -> tuple[Path | bytes, str, str]:
    """Return what a detector takes, the SHA-256 of the content, and why it cannot be fetched."""
    if not entry.remote:
        path = Path(entry.path)
        with contextlib.suppress(OSError):  # the reader says what is wrong with it
            return path, sha256_of(path), ""
        return path, "", ""
    if entry.size > MAX_BYTES:
        return b"", "", f"it has {entry.size:,} bytes, and at most {MAX_BYTES:,} are read"
    try:
        system, path_there = file_system(entry.path)
        data = bytes(system.cat_file(path_there))
    except (OSError, InputError) as error:
        words = " ".join(str(error).replace(";", ",").split())
        # No image is as long as nothing: it is refused at once, and the reason is ours.
        return b"", "", f"it cannot be fetched ({words or type(error).__name__})"
    return data, hashlib.sha256(data).hexdigest(), ""


def ended_the_process(entry: Entry, detector: Detector) -> Record:
    """Return the row of a file at which worker after worker ended."""
    [row] = rows_of(detector.unlooking(), [Entry("", -1, "")])
    reason = "unreadable: the process that read it ended, as often as it was tried"
    return {**row, "path": as_text(entry.path), "reasons": reason}
