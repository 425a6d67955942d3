"""What is asked of a file before a parser sees it: whether it is one, of what kind, how large."""

from __future__ import annotations

import stat
import struct
import zlib
from os import stat_result
from pathlib import Path
from typing import BinaryIO

from tumorscope.imaging.kinds import is_dicom, kind_of
from tumorscope.scans.not_read import NotReadError

MAX_BYTES = 4 * 1024**3
"""Of one file whose values lie there as they are."""

MAX_WHOLE = 512 * 1024**2
"""Of one file that must be read as a whole: compressed pixels, or what deflated data become."""

DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax of which everything behind the file's own header is compressed."""


def check_file(state: stat_result) -> None:
    """Refuse what is no regular file with something in it; to read a pipe would wait for ever.

    Raises
    ------
    NotReadError
        With the reason.
    """
    if not stat.S_ISREG(state.st_mode):
        raise NotReadError("cannot-open", "it is not a regular file")
    if not state.st_size:
        raise NotReadError("damaged", "it is empty")
    if state.st_size > MAX_BYTES:
        raise NotReadError("too-large", f"{state.st_size:,} bytes")


def check_there(path: str | Path) -> None:
    """Refuse what cannot be opened, before a library says of it that its kind is not known.

    Raises
    ------
    NotReadError
        With the reason.
    """
    try:
        check_file(Path(path).stat())
        Path(path).open("rb").close()
    except OSError as error:
        raise NotReadError("cannot-open", error.strerror or str(error)) from None


def check_kind(head: bytes) -> None:
    """Refuse what is no DICOM by its first kilobyte.

    Raises
    ------
    NotReadError
        If it is none; what else it is, where that is known.
    """
    if is_dicom(head):
        return
    kind = kind_of(head)
    if kind is None or kind.name not in ("a DICOM file", "a DICOM file without its preamble"):
        raise NotReadError("not-dicom", f"it is {kind.name}" if kind else "")


def check_inflated(file: BinaryIO, head: bytes) -> None:
    """Refuse a deflated file that becomes too large, because parsers inflate it all at once.

    Raises
    ------
    NotReadError
        If it does.
    """
    if DEFLATED.encode() not in head or len(head) < 144:
        return
    (length,) = struct.unpack("<L", head[140:144])
    file.seek(144 + length)
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    rest = file.read(1 << 16)
    while rest:
        try:
            total += len(inflate.decompress(rest, 1 << 20))
        except zlib.error:
            return  # the parser says what is wrong
        if total > MAX_WHOLE:
            raise NotReadError("too-large", f"more than {MAX_WHOLE:,} bytes once inflated")
        rest = inflate.unconsumed_tail or file.read(1 << 16)
