"""The header of an ordinary DICOM file, in a third of the time: without what nobody asks of it.

pydicom makes objects of the file's own header, of a command set, and of the file itself before the
elements that are wanted are read. Here the file's own header is walked only for its length and the
transfer syntax, and pydicom reads the rest. What is not ordinary is left to pydicom altogether.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
ENCAPSULATED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")

SOP_CLASS = 0x00080016

_LONG = frozenset({b"OB", b"OW", b"UN", b"UT", b"SQ", b"OF", b"OD", b"OL", b"OV", b"UC", b"UR"})


def quick_header(
    beginning: bytes,
    stop_when: Callable[[BaseTag, str | None, int], bool],
    tags: Sequence[int],
) -> tuple[Dataset, str, int] | None:
    """Return the wanted elements, the transfer syntax, and where the elements end.

    Parameters
    ----------
    beginning : bytes
        Of the file.
    stop_when : callable
        As of `pydicom.filereader.read_partial`.
    tags : sequence of int
        Elements that are wanted.

    Returns
    -------
    tuple or None
        None where the file is not ordinary, and pydicom is to read all of it.
    """
    from pydicom.filereader import read_dataset

    found = _own_header(beginning)
    if found is None:
        return None
    syntax, end = found
    memory = io.BytesIO(beginning)
    memory.seek(end)
    dataset = read_dataset(
        memory, syntax == IMPLICIT, True, stop_when=stop_when, specific_tags=list(tags)
    )
    # Without it the kind of object is asked of the file's own header.
    return (dataset, syntax, memory.tell()) if SOP_CLASS in dataset else None


def _own_header(beginning: bytes) -> tuple[str, int] | None:
    """Return the transfer syntax, and where the file's own header ends; None if it is odd."""
    if beginning[128:140] != b"DICM\x02\0\0\0UL\x04\0":
        return None
    (length,) = struct.unpack_from("<L", beginning, 140)
    place, end, syntax = 144, 144 + length, ""
    if end + 8 > len(beginning) or beginning[end : end + 2] in (b"\0\0", b"\x02\0"):
        return None
    while place < end:
        group, element, kind, size = struct.unpack_from("<HH2sH", beginning, place)
        place += 8
        if kind in _LONG:
            (size,) = struct.unpack_from("<L", beginning, place)
            place += 4
        if group != 2:
            return None
        if element == 0x0010:
            syntax = beginning[place : place + size].decode("latin-1").strip(" \0")
        place += size
    ordinary = syntax in (IMPLICIT, EXPLICIT) or syntax.startswith(ENCAPSULATED)
    return (syntax, end) if place == end and ordinary else None
