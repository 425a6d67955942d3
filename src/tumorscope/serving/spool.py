"""The spool: what a node was given and what it made of it, as files, so that no kill loses any.

The folders are the state. An instance is acknowledged only when its file has its final name, and a
series is answered when a folder with the digest of exactly these instances lies in ``answers``.
Every step from one state to the next is one rename.

::

    incoming/                     being written; emptied at the start
    series/STUDY-SERIES/SOP.dcm   instances, as they were encoded by the sender
    working/                      results being made; emptied at the start
    answers/STUDY-SERIES-DIGEST/  answer.json, results, and ``delivered`` once they are
    trash/                        being removed; emptied at the start
    complete/STUDY                somebody says that this study is complete

Names are hashes of UIDs, so that a list of files tells no identifiers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tumorscope.common.errors import InputError
from tumorscope.common.faults import FULL
from tumorscope.serving.age import age_of
from tumorscope.serving.durable import sync_file, sync_folder, write_durably

Kept = Literal["new", "same", "other"]
"""Whether an instance is new, was here already, or has the UID of another one that is kept."""

DELIVERED = "delivered"
FOLDERS = ("incoming", "series", "working", "answers", "trash", "complete")


class SpoolFullError(Exception):
    """There is no room for an instance, in the spool or on its disk."""


def token(uid: str) -> str:
    """Return what stands for a UID in names and logs.

    Examples
    --------
    >>> token("1.2.3")
    'c47f5b18b8a430e698b9'
    """
    return hashlib.sha256(uid.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs of an instance."""

    study: str
    series: str
    instance: str

    @property
    def key(self) -> str:
        """What the series is called in the spool."""
        return f"{token(self.study)}-{token(self.series)}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The instances of a series at one time.

    Attributes
    ----------
    key : str
        Of the series.
    paths : tuple of Path
        Ordered by name.
    """

    key: str
    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        """What its answer is called: by the series and exactly these instances."""
        names = "\n".join(path.name for path in self.paths)
        return f"{self.key}-{hashlib.sha256(names.encode()).hexdigest()[:20]}"


@dataclass(slots=True)
class _Series:
    """What is remembered of a series: no names, so that memory does not grow with instances."""

    changed: float
    count: int
    open: bool = True


class Spool:
    """A folder that holds the state of one node; threads may share it.

    Parameters
    ----------
    root : Path
        Created if need be, readable for its owner alone.
    most_bytes : int
        More than that is refused.
    spare_bytes : int
        So much stays free on the disk.
    clock : callable
        Monotonic seconds; tests set it.
    """

    def __init__(
        self,
        root: Path,
        *,
        most_bytes: int,
        spare_bytes: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root, self._most, self._spare, self._clock = root, most_bytes, spare_bytes, clock
        self._lock = threading.Lock()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in FOLDERS:
            (root / name).mkdir(mode=0o700, exist_ok=True)
        for name in ("incoming", "working", "trash"):
            _empty(root / name)
        self._bytes = 0
        self._series: dict[str, _Series] = {}
        for folder in sorted((root / "series").iterdir()):
            self._remember(folder)
        self._undelivered: dict[str, None] = {}
        for folder in sorted((root / "answers").iterdir(), key=lambda one: one.stat().st_mtime):
            self._bytes += _size(folder)
            if not (folder / DELIVERED).exists():
                self._undelivered[folder.name] = None

    def _remember(self, folder: Path) -> None:
        snapshot = self._snapshot(folder.name)
        if not snapshot.paths:
            folder.rmdir()
            return
        self._bytes += _size(folder)
        # Counted from now on, because instances may have been refused while nobody was here.
        self._series[folder.name] = _Series(
            self._clock(), len(snapshot.paths), open=not self._answer(snapshot).is_dir()
        )

    @property
    def used(self) -> int:
        """How much lies here."""
        return self._bytes

    @property
    def open_series(self) -> int:
        """How many series wait for an answer."""
        with self._lock:
            return sum(each.open for each in self._series.values())

    def write(self, parts: Sequence[bytes | memoryview]) -> Path:
        """Write what was received to a file that is not in any series yet.

        Raises
        ------
        SpoolFullError
            If there is no room.
        """
        size = sum(map(len, parts))
        with self._lock:
            if self._bytes + size > self._most:
                raise SpoolFullError(f"the spool holds {self._bytes:,} bytes")
            self._bytes += size
        path = self.root / "incoming" / f"{uuid.uuid4().hex}.dcm"
        try:
            if shutil.disk_usage(self.root).free < size + self._spare:
                raise SpoolFullError("the disk is nearly full")
            write_durably(path, parts)
        except BaseException as error:
            self._forget(size)
            if isinstance(error, OSError) and error.errno in FULL:
                raise SpoolFullError("the disk is full") from error
            raise
        return path

    def drop(self, path: Path) -> None:
        """Remove a file that `write` made."""
        size = path.stat().st_size
        path.unlink()
        self._forget(size)

    def keep(self, path: Path, identity: Identity) -> Kept:
        """Take a file that `write` made into its series; once this returns it is not lost.

        The first instance of a UID is the one that stays.

        Raises
        ------
        SpoolFullError
            If there is no room for another series.
        """
        folder = self.root / "series" / identity.key
        target = folder / f"{token(identity.instance)}.dcm"
        with self._lock:
            known = target.exists()
            if not known:
                self._take(path, target)
                series = self._series.setdefault(identity.key, _Series(0.0, 0))
                series.changed, series.open = self._clock(), True
                series.count += 1
        same = known and _equal(path, target)
        if known:
            self.drop(path)
        # Also where it was known: another thread may have renamed it and not come to this line.
        sync_folder(folder)
        sync_folder(folder.parent)
        return "new" if not known else "same" if same else "other"

    @staticmethod
    def _take(path: Path, target: Path) -> None:
        try:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            path.replace(target)
        except OSError as error:
            if error.errno in FULL:
                raise SpoolFullError("the disk is full") from error
            raise

    def complete(self, quiet_seconds: float) -> list[str]:
        """Return the series that wait for an answer and had no new instance for so long."""
        until = self._clock() - quiet_seconds
        with self._lock:
            found = [
                (series.changed, key)
                for key, series in self._series.items()
                if series.open and series.changed <= until
            ]
        return [key for _, key in sorted(found)]

    def obey(self) -> None:
        """Take the series of studies that were told complete for so, without waiting."""
        for path in (self.root / "complete").iterdir():
            with self._lock:
                for key, series in self._series.items():
                    if key.startswith(f"{path.name}-"):
                        series.changed = float("-inf")
            path.unlink()

    def snapshot(self, key: str) -> Snapshot:
        """Return the instances of a series as they are now."""
        with self._lock:
            return self._snapshot(key)

    def _snapshot(self, key: str) -> Snapshot:
        return Snapshot(key, tuple(sorted((self.root / "series" / key).glob("*.dcm"))))

    def _answer(self, snapshot: Snapshot) -> Path:
        return self.root / "answers" / snapshot.name

    def workplace(self) -> Path:
        """Return a new folder in which an answer can be made."""
        folder = self.root / "working" / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        return folder

    def answer(self, snapshot: Snapshot, made: Path) -> Path:
        """Take a folder for the answer to these instances; return where it lies now.

        Where more of them came meanwhile, the series goes on waiting. One that holds the mark
        ``delivered`` has nothing to deliver.
        """
        for path in made.iterdir():
            sync_file(path)
        sync_folder(made)
        target = self._answer(snapshot)
        size = _size(made)
        with self._lock:
            if target.is_dir():
                _remove(made)
            else:
                made.rename(target)
                self._bytes += size
                if not (target / DELIVERED).exists():
                    self._undelivered[target.name] = None
            series = self._series[snapshot.key]
            series.open = series.count != len(snapshot.paths)
        sync_folder(target.parent)
        return target

    def undelivered(self) -> list[Path]:
        """Return the answers that were not delivered, the oldest first."""
        with self._lock:
            return [self.root / "answers" / name for name in self._undelivered]

    def delivered(self, answer: Path) -> None:
        """Note that an answer is where it should be; its results are no longer kept here."""
        write_durably(answer / DELIVERED, [])
        sync_folder(answer)
        with self._lock:
            self._undelivered.pop(answer.name, None)
        for path in answer.glob("*.dcm"):
            self.drop(path)

    def purge(self, retention: float) -> int:
        """Remove series that were answered and delivered so many seconds ago; return how many."""
        now = time.time()
        answers: dict[str, list[Path]] = {}
        for folder in (self.root / "answers").iterdir():
            answers.setdefault(folder.name.rpartition("-")[0], []).append(folder)
        removed = 0
        for key, folders in answers.items():
            marks = [folder / DELIVERED for folder in folders]
            if all(mark.exists() and age_of(mark, now) >= retention for mark in marks):
                removed += self._discard(key, folders)
        return removed

    def _discard(self, key: str, answers: Sequence[Path]) -> bool:
        """Remove a series and then its answers: the other way round it would be answered again."""
        folder = self.root / "series" / key
        trash = self.root / "trash" / uuid.uuid4().hex
        trash.mkdir()
        with self._lock:
            series = self._series.get(key)
            if series is not None and series.open:
                trash.rmdir()
                return False
            self._series.pop(key, None)
            for place in (folder, *answers):
                if place.is_dir():
                    place.rename(trash / place.name)
        size = sum(_size(each) for each in trash.iterdir())
        _remove(trash)
        self._forget(size)
        return True

    def _forget(self, size: int) -> None:
        with self._lock:
            self._bytes -= size


def tell_complete(root: Path, study_uid: str) -> None:
    """Tell the node of a spool that a study is complete; it need not run at this moment.

    Raises
    ------
    InputError
        If this is no spool.
    """
    folder = root / "complete"
    if not folder.is_dir():
        raise InputError(
            f"Received the spool {root}, which is none; expected the folder that `tumorscope "
            "dicom-node --spool` names. Check the path, or start the node first."
        )
    (folder / token(study_uid)).touch()


def _size(folder: Path) -> int:
    with os.scandir(folder) as found:
        return sum(entry.stat().st_size for entry in found)


def _equal(one: Path, other: Path) -> bool:
    import filecmp

    return filecmp.cmp(one, other, shallow=False)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            _remove(path)
        else:
            path.unlink()
