"""Files and names that are on the disk, not only on their way there, when a function returns."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def write_durably(path: Path, parts: Iterable[bytes | memoryview]) -> int:
    """Write a new file, wait until the disk has it, and return its size in bytes.

    Where that fails, as on a full disk, nothing of it is left.
    """
    size = 0
    try:
        with path.open("xb") as file:
            for part in parts:
                size += file.write(part)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return size


def sync_file(path: Path) -> None:
    """Wait until the disk has the content of a file that another library wrote."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names in a folder; without it a renamed file may be lost."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders, and its file system keeps names in order
        if os.name == "nt":
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
