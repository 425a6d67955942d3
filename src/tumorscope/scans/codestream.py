"""How large a compressed image says that it is, by its own first bytes."""

from __future__ import annotations

import struct


def size_of_codestream(data: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and channels of a JPEG, JPEG-LS or JPEG 2000 image, else None.

    Examples
    --------
    >>> size_of_codestream(bytes.fromhex("ffd8 ffc0 000b 08 0040 0020 01 0100"))
    (64, 32, 1)
    """
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    if start >= 0 and len(data) >= start + 42:
        x1, y1, x0, y0 = struct.unpack(">4L", data[start + 8 : start + 24])
        (channels,) = struct.unpack(">H", data[start + 40 : start + 42])
        return y1 - y0, x1 - x0, channels
    return None


def _jpeg(data: bytes) -> tuple[int, int, int] | None:
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in (0x01, *range(0xD0, 0xD9)):
            at += 2
        elif (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            rows, columns = struct.unpack(">HH", data[at + 5 : at + 9])
            return rows, columns, data[at + 9]
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None
