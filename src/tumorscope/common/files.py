"""Files that are written whole or not at all, and the hashes that name their content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tumorscope.common.errors import OutputError
from tumorscope.common.locks import until_done


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits.

    Raises
    ------
    OSError
        If it cannot be read, or is not a regular file: reading a pipe would wait, and a device
        would not end.
    """
    return _digest_of(path, "sha256")


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, by which others name theirs; see `sha256_of`."""
    return _digest_of(path, "md5")


def _digest_of(path: Path, how: str) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is not a regular file")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, how).hexdigest()


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it there once the block ends well.

    A reader therefore sees the old file or the whole new one, also after a kill or a full disk.
    The temporary name keeps the suffix, because some writers choose their format by it.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=f".partial{path.suffix}", dir=path.parent
        )
        os.close(handle)
    except OSError as error:
        raise _output_error(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; results should have the permissions of any other file.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what `atomic_path` left of `path`, and of no other file, when it was killed."""
    # As `tempfile` names files. Without it, a.csv would also claim those of a-b.csv.
    left = re.compile(rf"\.{re.escape(path.stem)}-[a-z0-9_]{{8}}\.partial{re.escape(path.suffix)}")
    if path.parent.is_dir():
        for other in path.parent.iterdir():
            if left.fullmatch(other.name):
                other.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` and rename it there once the block ends well.

    Raises
    ------
    OutputError
        If it cannot be written, or `path` is a file or a folder that is not empty.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(
            tempfile.mkdtemp(prefix=f".{path.name}-", suffix=".partial", dir=path.parent)
        )
    except OSError as error:
        raise _output_error(path, error) from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.is_dir():
            path.rmdir()  # fails unless empty; not every system renames onto an empty folder
        temporary.rename(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write text (UTF-8, line feeds kept as they are) to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(path: Path, document: object) -> None:
    """Write `document` as indented JSON, whole or not at all; NaN is refused as invalid JSON."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def output_folder(path: Path) -> Path:
    """Create the folder `path` if need be and make sure that it can be written to.

    Called before long work, so that a run of hours does not end at its first write. Where the work
    is `tumorscope.common.locks.one_writer`, other processes are kept out until it ends.

    Raises
    ------
    OutputError
        If it is a file, cannot be created, or cannot be written to.
    """
    until_done(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _output_error(path, error) from error
    return path


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write {path}: {error.strerror or error}. Expected a folder that can be written "
        "to, with free space. Choose another with -o, or free space; "
        "nothing that was finished before is lost."
    )
