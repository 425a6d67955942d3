"""The log of a batch: what was finished stays finished, whatever kills the process.

One line of JSON per finished image, appended in one write. A process that is killed leaves at most
one torn line at the end, which the next run cuts off; everything before it counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tumorscope.common.differences import differences
from tumorscope.common.errors import InputError, OutputError, UsageError

Record = dict[str, object]

VERSION = 2
"""Of what stands in the first line."""

SYNC_SECONDS = 2.0
"""How much a power failure may lose; a killed process loses nothing."""


class ResultLog:
    """Append-only results of one batch, found again by the SHA-256 of an image's file.

    Only offsets are held in memory, 100 bytes or so per image that an earlier run finished.

    Parameters
    ----------
    path : Path
        Of the log.
    identity : mapping
        What decides the results, such as model, operating point and images; a log of other ones
        is refused.
    resume : bool
        Go on with the log that lies there.

    Raises
    ------
    UsageError
        If there is a log and `resume` is false.
    InputError
        If what lies there is not a log, or one of another model, options or images.
    OutputError
        If it cannot be written.
    """

    def __init__(self, path: Path, *, identity: Mapping[str, object], resume: bool) -> None:
        self._path = path
        self._offsets: dict[bytes, int] = {}
        self._synced = time.monotonic()
        if path.exists() and not resume:
            raise UsageError(
                f"{path} is left from a batch that did not end. Add --resume to go on with it, "
                "or delete it to start anew."
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as stack:
                self._file = stack.enter_context(path.open("a+b", buffering=0))
                if resume:
                    self._take_up(identity)
                if not self._file.seek(0, os.SEEK_END):
                    self._write({"log": VERSION, **identity})
                stack.pop_all()  # stays open unless something was wrong
        except OSError as error:
            raise self._cannot_write(error) from error

    def __enter__(self) -> ResultLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """Return how many images an earlier run finished."""
        return len(self._offsets)

    def get(self, sha256: str) -> Record | None:
        """Return what an earlier run wrote about a file of this content, if any did."""
        offset = self._offsets.get(bytes.fromhex(sha256))
        if offset is None:
            return None
        with self._path.open("rb") as stream:
            stream.seek(offset)
            record: Record = json.loads(stream.readline())
        return record

    def append(self, record: Mapping[str, object]) -> None:
        """Write down a finished image; `record` must hold its ``sha256``.

        Raises
        ------
        OutputError
            If the disk is full or the log cannot be written.
        """
        try:
            self._write(record)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise self._cannot_write(error) from error

    def remove(self) -> None:
        """Delete the log: the batch has ended and its results lie elsewhere."""
        self._path.unlink(missing_ok=True)

    def _write(self, record: Mapping[str, object]) -> None:
        line = json.dumps(record, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        written = self._file.write(line)
        if written != len(line):  # the disk filled up in the middle of the line
            raise OSError(28, "No space left on device")

    def _take_up(self, identity: Mapping[str, object]) -> None:
        """Index every whole line, and cut off what a kill or a full disk left after them."""
        offset = 0
        with self._path.open("rb") as stream:
            for number, line in enumerate(iter(stream.readline, b"")):
                if not line.endswith(b"\n"):
                    break
                self._index(line, number, offset, identity)
                offset += len(line)
        self._file.truncate(offset)

    def _index(self, line: bytes, number: int, offset: int, identity: Mapping[str, object]) -> None:
        try:
            record = json.loads(line)
            if number == 0:
                found = {key: value for key, value in record.items() if key != "log"}
                version = record["log"]
            elif record["sha256"]:
                self._offsets[bytes.fromhex(record["sha256"])] = offset
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"Line {number + 1} of {self._path} is not one that tumorscope wrote. Expected the "
                "log of an interrupted batch. Delete it to start anew."
            ) from error
        if number == 0 and version != VERSION:
            raise InputError(
                f"{self._path} was begun by another version of tumorscope, which noted other "
                f"things in it (log {version}). Expected log {VERSION}. Finish it with that "
                "version, or delete it to start anew."
            )
        differs = differences(found, dict(identity)) if number == 0 else []
        if differs:
            raise InputError(
                f"{self._path} is the log of another batch; nothing was changed. Different: "
                f"{'; '.join(differs)}. Expected the same images, model and options as when it was "
                "begun. Give them again, choose another table with -o, or delete the log to start "
                "anew."
            )

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(
            f"Cannot write {self._path}: {error.strerror or error}. Expected a place with room "
            "that you may write to. What was finished is kept: make room, then add --resume."
        )
