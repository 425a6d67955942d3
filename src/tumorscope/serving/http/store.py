"""The spool: a folder for each request, with what was sent and what was found, for a while."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tumorscope.common.errors import OutputError
from tumorscope.serving.age import age_of
from tumorscope.serving.http.problems import Problem, not_found

FINDING = "finding.json"
"""In the folder of a request once it is answered."""

ID = re.compile(r"[0-9a-f]{32}")


class Store:
    """Folders of requests in a spool that nobody else may read.

    Parameters
    ----------
    folder : Path
        Created if need be, with mode 0700.
    retention : float
        Seconds from the answer until it is deleted.
    most : int
        Bytes of all that is kept.

    Raises
    ------
    OutputError
        If the folder cannot be created, or cannot be made private.
    """

    def __init__(self, folder: Path, *, retention: float, most: int) -> None:
        self.folder, self.retention, self._most = folder, retention, most
        self._lock, self._making = threading.Lock(), threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._begin_again()
        except OSError as error:
            raise OutputError(
                f"Cannot use the spool {folder}: {error.strerror or error}. Expected a folder on a "
                "disk with free space, of which you are the owner. Choose another with --spool."
            ) from error
        self.used = sum(_size(each) for each in self._folders())

    def _folders(self) -> list[Path]:
        return [each for each in self.folder.iterdir() if ID.fullmatch(each.name)]

    def _begin_again(self) -> None:
        """Remove what an earlier process had begun; its answers stay as long as was promised."""
        for each in self._folders():
            if not (each / FINDING).is_file():
                shutil.rmtree(each, ignore_errors=True)

    def new(self) -> Path:
        """Return a new folder; its name is an id of 128 random bits."""
        place = self.folder / secrets.token_hex(16)
        place.mkdir(mode=0o700)
        return place

    def reserve(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises
        ------
        Problem
            507, if there is no room for them.
        """
        with self._lock:
            if self.used + size > self._most:
                raise Problem(
                    507,
                    received="Received more than the service has room for at present.",
                    expected=f"Expected no more than {self._most // 2**20} MiB of requests and "
                    "results that are kept.",
                    what_to_do="Delete what is no longer needed (DELETE /v1/findings/{id}), wait "
                    "until results have passed their time, or raise --spool-mib.",
                )
            self.used += size

    def place(self, name: str) -> Path:
        """Return the folder of an answer that is kept.

        Raises
        ------
        Problem
            404, if there is none.
        """
        place = self.folder / name
        if not ID.fullmatch(name) or self._expired(place, time.time()):
            raise not_found("findings")
        return place

    def remove(self, place: Path, *, counted: int | None = None) -> None:
        """Delete a folder; `counted` are the bytes that were reserved for it, if it is unfinished.

        Of a finished one its files are counted, for results were written beside what was sent.
        """
        size = _size(place) if counted is None else counted
        shutil.rmtree(place, ignore_errors=True)
        with self._lock:
            self.used = max(0, self.used - size)

    def settle(self, place: Path, counted: int, *, to: int | None = None) -> None:
        """Count a finished folder by what lies in it, or as `to`, instead of what was reserved."""
        size = _size(place) if to is None else to
        with self._lock:
            self.used += size - counted

    @contextlib.contextmanager
    def growing(self, place: Path) -> Iterator[None]:
        """Count what is written beside an answer inside the block, one block at a time."""
        with self._making:
            before = _size(place)
            try:
                yield
            finally:
                grown = _size(place) - before
                with self._lock:
                    self.used = max(0, self.used + grown)
                if not (place / FINDING).exists():  # it was deleted meanwhile
                    self.remove(place)

    def sweep(self) -> int:
        """Delete answers that have passed their time; return how many."""
        now, gone = time.time(), 0
        for each in self._folders():
            if (each / FINDING).exists() and self._expired(each, now):
                self.remove(each)
                gone += 1
        return gone

    def _expired(self, place: Path, now: float) -> bool:
        try:
            return age_of(place / FINDING, now) > self.retention
        except OSError:
            return True


def _size(place: Path) -> int:
    try:
        return sum(each.stat().st_size for each in place.iterdir() if each.is_file())
    except OSError:  # deleted meanwhile
        return 0
