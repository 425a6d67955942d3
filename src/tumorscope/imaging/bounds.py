"""What is counted in a file before a library parses it, so that none takes minutes.

Libraries read blocks of metadata one by one, and some join them by copying all that came before.
Thousands of blocks, which no scan has, would keep a batch waiting. Their number is bounded here;
so are sizes that a decoder would make room for before it looks at the picture.
"""

from __future__ import annotations

import struct

MOST_BLOCKS = 1_000
"""Of metadata; a photograph has some twenty."""

MOST_METADATA = 16 * 1024 * 1024
"""Bytes of it in all."""

MOST_SCANS = 100
"""Of a progressive JPEG, each of which passes over the whole picture; programs write ten or so."""

MOST_CHUNKS = 100_000
"""Of pixels' data: of a PNG or GIF in the smallest parts that programs write."""


class TooMuchError(ValueError):
    """A file has more parts than are read; the message says which, after "it has"."""


def check_parts(data: bytes, name: str) -> None:
    """Refuse an image with more parts than are read; JPEG and TIFF have checks of their own.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Its format: PNG, GIF, BMP or WEBP.

    Raises
    ------
    TooMuchError
        If there are too many.
    """
    if name == "PNG":
        _check_png(data)
    elif name == "GIF":
        _check_gif(data)


def canvas_of(data: bytes, name: str) -> tuple[int, int] | None:
    """Return the width and height for which a library makes room as soon as it opens a file.

    None where it makes none, or the file is damaged.

    Examples
    --------
    >>> canvas_of(b"GIF89a" + bytes([3, 0, 2, 0, 0, 0, 0]) + b";", "GIF")
    (3, 2)
    """
    try:
        if name == "GIF":
            return _canvas_of_gif(data)
        return _canvas_of_webp(data) if name == "WEBP" else None
    except (struct.error, IndexError):
        return None


def _check_png(data: bytes) -> None:
    at, blocks, chunks = 8, 0, 0
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, at)
        chunks += 1
        blocks += kind != b"IDAT"
        if blocks > MOST_BLOCKS or chunks > MOST_CHUNKS:
            raise TooMuchError(
                f"more than {MOST_BLOCKS:,} blocks beside its pixels, or more than "
                f"{MOST_CHUNKS:,} of these"
            )
        if kind == b"IEND":
            return
        at += 12 + length


def _check_gif(data: bytes) -> None:
    """Count what Pillow reads: blocks of metadata and of pixels, to the last picture."""
    at, blocks, chunks = _after_colours(data, 6), 0, 0
    while at < len(data) and data[at] in b"!,":
        is_picture = data[at : at + 1] == b","
        at = _after_colours(data, at + 5) + 1 if is_picture else at + 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
            chunks, blocks = chunks + is_picture, blocks + (not is_picture)
            if blocks > 4 * MOST_BLOCKS or chunks > 10 * MOST_CHUNKS:
                raise TooMuchError(
                    f"more than {4 * MOST_BLOCKS:,} blocks beside its pixels, or "
                    f"more than {10 * MOST_CHUNKS:,} of these"
                )
        at, blocks = at + 1, blocks + 1


def _after_colours(data: bytes, at: int) -> int:
    """Return what follows a size (4 bytes), flags and a palette of a GIF; the file's, 2 further."""
    flags = data[at + 4] if at + 4 < len(data) else 0
    return at + 5 + (2 if at == 6 else 0) + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)


def _canvas_of_gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    at = _after_colours(data, 6)
    while data[at : at + 1] == b"!":
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    if data[at : at + 1] != b",":
        return width, height
    left, top, across, down = struct.unpack_from("<4H", data, at + 1)
    return max(width, left + across), max(height, top + down)


def _canvas_of_webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return tuple(1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))  # type: ignore[return-value]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<L", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
