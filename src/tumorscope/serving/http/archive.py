"""A zip file of a study → its members as files under numbers; nothing in it is trusted."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tumorscope.imaging.find import is_hidden
from tumorscope.serving.http.limits import Limits
from tumorscope.serving.http.problems import Problem, too_large
from tumorscope.serving.http.uploads import Receiver, Upload

CHUNK = 2**18
END, END_64 = b"PK\x05\x06", b"PK\x06\x06"
ENTRY = 512
"""Bytes in the list of an archive that a member takes at most, on average; usually some 80."""


def unpack(archive: Upload, receiver: Receiver, limits: Limits) -> None:
    """Unpack an archive, counting what comes out rather than what its list says.

    Members keep their names for people alone: where they lie is a number. Folders, hidden files and
    what systems leave are passed over; archives in archives stay as they are.

    Raises
    ------
    Problem
        413, if there are more members or bytes than are taken; 422, if it cannot be read.
    """
    _check_list(archive.path, limits)
    try:
        with zipfile.ZipFile(archive.path) as opened:
            for member in opened.infolist():
                if not member.is_dir() and not _is_hidden(member.filename):
                    _unpack(opened, member, receiver)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        said = "it is encrypted" if "password" in str(error) else " ".join(str(error).split())
        raise _unreadable(archive.name, said) from error
    except (OSError, ValueError, struct.error, UnicodeDecodeError) as error:
        raise _unreadable(archive.name, "it is damaged") from error


def _unpack(opened: zipfile.ZipFile, member: zipfile.ZipInfo, receiver: Receiver) -> None:
    receiver.begin(member.filename)
    try:
        with opened.open(member) as stream:
            while data := stream.read(CHUNK):
                receiver.data(data)
    finally:
        receiver.end()


def _check_list(path: Path, limits: Limits) -> None:
    """Refuse a list of members that would fill the memory, before it is read."""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - 2**16 - 100))
        tail = stream.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        return  # no archive, as will be found out
    size = int(struct.unpack("<L", tail[at + 12 : at + 16])[0])
    if (more := tail.rfind(END_64)) >= 0 and len(tail) >= more + 56:
        size = struct.unpack("<Q", tail[more + 40 : more + 48])[0] if size == 2**32 - 1 else size
    if size > limits.files * ENTRY:
        raise too_large("an archive with a very long list of members", f"{limits.files} files")


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(is_hidden(part) for part in parts if part != "..")


def _unreadable(name: str, why: str) -> Problem:
    return Problem(
        422,
        received=f"Received the archive {name}, which cannot be unpacked: {why}.",
        expected="Expected a whole zip file without a password.",
        what_to_do="Pack it again, or send the files themselves.",
    )
