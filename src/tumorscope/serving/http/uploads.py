"""What a client sends → files in the folder of its request, written as it arrives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from tumorscope.common.names import printable
from tumorscope.imaging.kinds import HEAD, format_of, kind_of
from tumorscope.serving.http.limits import MIB, Limits
from tumorscope.serving.http.problems import no_space, too_large
from tumorscope.serving.http.store import Store

VOLUMES = {
    "a DICOM file": "",
    "a DICOM file without its preamble": "",
    "a NIfTI file": ".nii",
    "a NIfTI-2 file": ".nii",
    "an NRRD volume": ".nrrd",
    "a NIfTI file, compressed with gzip": ".nii.gz",
    "a NIfTI-2 file, compressed with gzip": ".nii.gz",
}
"""What volumes are by their first bytes → the ending by which they are read."""

LONGEST_NAME = 300
"""Letters of a file's name that are kept, the last ones: folders are in front."""

ZIP = (b"PK\x03\x04", b"PK\x05\x06")

Kind = Literal["picture", "volume", "archive", "other"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent.

    Attributes
    ----------
    name : str
        As the client calls it. No path is ever made of it.
    path : Path
        Where it lies, under a number.
    sha256 : str
        Of its bytes.
    size : int
        Bytes.
    kind : {"picture", "volume", "archive", "other"}
        By its first bytes.
    """

    name: str
    path: Path
    sha256: str
    size: int
    kind: Kind


class Receiver:
    """Files on their way to the folder of a request: begin, data, end, and the next.

    Parameters
    ----------
    folder : Path
        Of the request.
    store : Store
        Which counts bytes.
    limits : Limits
        What is taken at most.
    prefix : str
        Of the numbers that files are called by.
    most : int, optional
        Bytes of all files; those of one request by default.
    """

    def __init__(
        self, folder: Path, store: Store, limits: Limits, *, prefix: str = "u", most: int = 0
    ) -> None:
        self._folder, self._store, self._limits, self._prefix = folder, store, limits, prefix
        self._most = most or limits.request
        self.files: list[Upload] = []
        self.bytes = 0
        self._stream: BinaryIO | None = None
        self._name, self._path, self._size, self._head = "", folder, 0, b""
        self._hash = hashlib.sha256()

    def begin(self, name: str) -> None:
        """Begin a file."""
        if len(self.files) >= self._limits.files:
            raise too_large(f"more than {self._limits.files} files", f"{self._limits.files} files")
        self._name = printable(name)[-LONGEST_NAME:]
        self._path = self._folder / f"{self._prefix}{len(self.files)}"
        self._hash, self._size, self._head = hashlib.sha256(), 0, b""
        self._stream = self._path.open("xb", buffering=0)

    def data(self, data: bytes) -> None:
        """Write the next bytes of the file."""
        if self.bytes + len(data) > self._most:
            raise too_large("more bytes than are taken", f"{self._most // MIB} MiB")
        assert self._stream is not None
        self._store.reserve(len(data))
        self.bytes += len(data)
        self._size += len(data)
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]
        self._hash.update(data)
        _write(self._stream, data)

    def end(self) -> None:
        """End the file; one without a name and content, as empty form fields send it, is none."""
        assert self._stream is not None
        self._stream.close()
        self._stream = None
        if not self._size and not self._name:
            self._path.unlink()
            return
        kind, ending = _kind(self._head)
        path = self._path
        if ending:
            path = path.rename(path.with_name(path.name + ending))
        name, digest = self._name or "unnamed", self._hash.hexdigest()
        self.files.append(Upload(name, path, digest, self._size, kind))

    def close(self) -> None:
        """Close what is open, where a request ended before its time."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _kind(head: bytes) -> tuple[Kind, str]:
    if format_of(head) is not None:
        return "picture", ""
    if head.startswith(ZIP):
        return "archive", ""
    found = kind_of(head)
    if found is not None and found.name in VOLUMES:
        return "volume", VOLUMES[found.name]
    return "other", ""


def _write(stream: BinaryIO, data: bytes) -> None:
    try:
        _write_all(stream, data)
    except OSError as error:
        raise no_space("files") from error


def _write_all(stream: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]
