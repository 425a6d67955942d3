"""What a JPEG says before it is decoded, and whether its data ended where they should.

Pillow hides the warnings of libjpeg. Most of them come of one thing: a wrong bit makes the codes
that follow longer or shorter, so the picture is complete before its data are, or not when they end.
That is seen from outside, by the bytes that the decoder asks for, and costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tumorscope.imaging.bounds import MOST_BLOCKS, MOST_METADATA, MOST_SCANS, TooMuchError
from tumorscope.imaging.tiff import check_directories

_START_OF_SCAN, _END = 0xDA, b"\xff\xd9"
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9), 0xFF})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})

_UNASKED = 4
"""Last bytes without which no whole picture is complete: its last bit lies in the very last."""

_MARK = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")
"""What ends the data of a scan."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

_PIECE = 1 << 16
"""Bytes that are looked through at a time, as a file may be large."""

_BEYOND = bytes(8)
"""Zeros behind the data: as many as libjpeg looks ahead."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a JPEG lie.

    Attributes
    ----------
    start, end : int
        Of the first scan's data: its first byte, and the mark of the end, or of metadata before it;
        -1 where there is none, and in progressive files, of which it tells nothing.
    scans : int
        How many there are; more than one in progressive files.
    rgb : bool
        Whether it stores red, green and blue rather than luma and chroma, and says so by the names
        of its components alone.
    """

    start: int
    end: int
    scans: int
    rgb: bool


def layout_of(data: bytes) -> Layout | None:
    """Return where the parts of a JPEG lie; None where there is no scan.

    Raises
    ------
    TooMuchError
        If it has so many blocks of metadata or scans that decoding it would take minutes.
    """
    names, marked, size, frame, components = b"", False, 0, 0, b""
    exif: list[bytes] = []
    for marker, begin, end in _segments(data):
        if marker == _START_OF_SCAN:
            check_directories(b"".join(exif))  # as Pillow joins it
            # Without progress, a scan of all components is the only one.
            scans = 1
            if frame not in _SEQUENTIAL or data[begin : begin + 1] != components:
                scans += data.count(b"\xff\xda", end)
            if scans > MOST_SCANS:
                raise TooMuchError(f"{scans:,} scans, of which {MOST_SCANS} are allowed")
            last = _end_of_scan(data, end) if frame in _SEQUENTIAL else -1
            return Layout(end, last, scans, names == b"RGB" and not marked)
        if marker in _FRAMES:
            frame, components = marker, data[begin + 5 : begin + 6]
            names = data[begin + 6 : end : 3][:3]
        elif marker in _METADATA:
            size += end - begin
            # libjpeg believes these marks rather than the names.
            marked |= data[begin : begin + 5] in (b"JFIF\0", b"Adobe")
            if data[begin : begin + 6] == b"Exif\0\0":
                exif.append(data[begin + 6 : end])
        if size > MOST_METADATA:
            raise TooMuchError(f"more than {MOST_METADATA:,} bytes of metadata")
    return None


def _end_of_scan(data: bytes, start: int) -> int:
    """Return where the mark of the end lies, or the first of the blocks between scan and end."""
    found = _MARK.search(data, start)
    at = begin = found.start() if found else -1
    for _ in range(MOST_BLOCKS if found else 0):
        if data[at] != 0xFF or data[at + 1] not in _METADATA:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at : at + 2] == _END:
            return begin
        if at + 2 > len(data):
            break
    # What is no such block, or one of too many, is a wrong bit of the data.
    return data.find(_END, start)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, the first byte and the end of the content of each segment."""
    at, blocks, stray = 2, 0, 0
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker in _ALONE:
            # Pillow passes over these one by one.
            at, stray = at + (2 if data[at] == 0xFF and marker != 0xFF else 1), stray + 1
        else:
            begin, end = at + 4, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            yield marker, begin, end
            at, blocks = end, blocks + 1
        if blocks > MOST_BLOCKS or stray > MOST_BLOCKS:
            raise TooMuchError(f"more than {MOST_BLOCKS:,} blocks of metadata")


def feeder(data: bytes, layout: Layout) -> tuple[Callable[[int], bytes], Callable[[], bool]] | None:
    """Return what hands the data to Pillow's decoder, and what tells afterwards of damage.

    The decoder gets all but the last bytes, then these and zeros instead of the mark of the end,
    and the mark. A whole picture is complete at the second. None where there is more than one scan,
    which libjpeg reads to the mark before it draws, or no mark, or more filling than data.

    Parameters
    ----------
    data : bytes
        The whole file.
    layout : Layout
        Of it.
    """
    start, end = layout.start, layout.end
    if layout.scans != 1 or end <= start:
        return None
    middle, last = start + (end - start) // 2, _end_of_bits(data, start, end)
    if last < middle:
        return None
    cut = max(middle, last - _UNASKED)
    # The rest of the file last: what Pillow does not need it does not ask for.
    parts = (data[:cut], data[cut:end] + _BEYOND, data[end:])
    given = 0

    def feed(_: int) -> bytes:
        nonlocal given
        given += 1
        return parts[given - 1] if given <= len(parts) else b""

    return feed, lambda: given != 2


def _end_of_bits(data: bytes, start: int, end: int) -> int:
    """Return where the filling begins that some encoders put behind the last bit of a scan."""
    last = _unfilled(data, start, end)
    if _RESTART.fullmatch(data, max(start, last - 2), last):
        last = _unfilled(data, start, last - 2)
    return last


def _unfilled(data: bytes, start: int, end: int) -> int:
    while end > start:
        begin = max(start, end - _PIECE)
        if kept := data[begin:end].rstrip(b"\xff\0"):
            return begin + len(kept)
        end = begin
    return start
