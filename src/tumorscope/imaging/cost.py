"""How much memory it takes to decode a picture, said by its header."""

from __future__ import annotations

from tumorscope.imaging import deep
from tumorscope.imaging.opening import Encoded

_STRIP = 12
"""Bytes for each pixel of the strip in which colours become grey."""

_STRIP_PIXELS = 2**20


def bytes_needed(encoded: Encoded) -> int:
    """Return the most memory in bytes that a picture takes while it becomes a slice.

    Measured, and rounded up: Pillow holds greys in one byte and colours in four, WebP is decoded
    beside Pillow's copy, and more than 8 bits are stretched as floating-point numbers.

    Parameters
    ----------
    encoded : Encoded
        A picture whose header was read.
    """
    info, page = encoded.info, encoded.page
    pixels = info.width * info.height
    tile = 0 if page is None else page.tile
    image = encoded.image
    is_deep = encoded.deep or image is None or deep.is_deep(image.mode)
    each = _deep(encoded) if is_deep else _plain(encoded)
    strip = _STRIP * min(pixels, _STRIP_PIXELS)
    return int(each * pixels + each * tile) + strip + len(encoded.data)


def _plain(encoded: Encoded) -> float:
    if encoded.info.format == "WEBP":
        return 16.5
    each = 4.0 if encoded.info.mode in ("1", "L", "P") else 9.0
    # libjpeg holds the coefficients of all scans.
    layout = encoded.layout
    return each + (6.0 if layout is not None and layout.scans > 1 else 0.0)


def _deep(encoded: Encoded) -> float:
    mode, _, bits = encoded.info.mode.partition(";")
    size = max(1, int(bits.rstrip("BLNRS") or 32) // 8)
    channels = len(mode) if mode in ("RGB", "RGBA") else 1
    return 12.0 + 3.5 * size if channels == 1 else channels * (4.5 + 3.5 * size)
