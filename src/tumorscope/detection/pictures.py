"""What is drawn of each image of a batch: an overlay in a folder, a thumbnail for a page."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tumorscope.common.errors import UnreadableImageError
from tumorscope.common.memory import IMAGES
from tumorscope.common.names import printable
from tumorscope.common.progress import say
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import Found
from tumorscope.detection.journal import Record
from tumorscope.detection.records import EVIDENCE, Result
from tumorscope.imaging.read import read_slice
from tumorscope.model_file.schema import Metadata

AHEAD = 2
"""Results per core that may wait for their pictures."""

THUMBNAILS = 1000
"""Thumbnails of each decision, the first in the order of the images. A page with these pictures
has some 30 MB at most, which a browser still opens."""


@dataclass(slots=True)
class Pictures:
    """Which pictures a batch draws.

    Attributes
    ----------
    overlays : Path, optional
        Folder for one PNG per image that was read.
    thumbnails : bool
        Whether results carry thumbnails, for as many of each decision as `most` says.
    most : int
        See `THUMBNAILS`.
    """

    overlays: Path | None = None
    thumbnails: bool = False
    most: int = THUMBNAILS
    _taken: Counter[str] = field(default_factory=Counter)

    def need(self, found: Found, record: Record) -> bool:
        """Whether the detector has to be asked again for what an earlier run knows already."""
        if self.thumbnails and not all(name in record for name in EVIDENCE):
            return True
        if self.overlays is None or record["decision"] == "unreadable":
            return False
        return not (self.overlays / found.place).is_file()

    def drawn(self, results: Iterator[Result], detector: Detector) -> Iterator[Result]:
        """Yield the same results once their pictures are drawn, beside inference."""
        waiting: deque[tuple[Result, Future[bytes | None] | None]] = deque()
        pool = ThreadPoolExecutor(detector.threads, thread_name_prefix="pictures")
        try:
            for result in results:
                folder = None if result.resumed else self.overlays
                wanted = self._takes(result)
                future = None
                if result.values["decision"] != "unreadable" and (folder or wanted):
                    future = pool.submit(_draw, result, detector.metadata, folder, wanted)
                waiting.append((result, future))
                if len(waiting) >= AHEAD * detector.threads:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _takes(self, result: Result) -> bool:
        """Whether a result gets a thumbnail; by its place among those of its decision alone."""
        decision = str(result.values["decision"])
        if not self.thumbnails or decision == "unreadable":
            return False
        self._taken[decision] += 1
        return self._taken[decision] <= self.most


def _finished(result: Result, future: Future[bytes | None] | None) -> Result:
    thumbnail = None if future is None else future.result()
    return result if thumbnail is None else replace(result, thumbnail=thumbnail)


def _draw(result: Result, metadata: Metadata, folder: Path | None, wanted: bool) -> bytes | None:
    from tumorscope.detection.evidence import temperature_of
    from tumorscope.detection.overlay import write_overlay
    from tumorscope.detection.thumbnail import thumbnail

    if result.finding is None:
        return None
    try:
        with IMAGES.one_image():
            scan = read_slice(result.found.path)
            if folder is not None:
                write_overlay(folder / result.found.place, scan, result.finding, metadata)
            if not wanted:
                return None
            how, temperature = metadata.preprocessing.preprocessing, temperature_of(metadata)
            return thumbnail(scan, result.finding, how, temperature=temperature)
    except (UnreadableImageError, MemoryError) as error:
        # Its row is there, and the others are not to be lost.
        why = getattr(error, "why", "the memory does not suffice")
        say(f"No picture of {printable(result.found.path)}: {why}")
        return None
