"""TIFF files as scanners and other programs write them, which Pillow cannot write."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

_FORMATS = {"u": 1, "i": 2, "f": 3}

WriteTiff = Callable[..., bytes]


def tiff(
    *pages: np.ndarray,
    white: bool = False,
    big: bool = False,
    order: str = "<",
    planar: bool = False,
    kinds: tuple[int, ...] = (),
    tags: dict[int, int] | None = None,
    words: bytes = b"",
) -> bytes:
    """An uncompressed TIFF of pages (height, width) or (height, width, channels).

    `kinds` are their subfile types, `tags` further tags of every page, `words` the description of
    the first. `planar` says that channels lie in planes, and then pages are (channels, height,
    width).
    """
    marks = (43, 8, 0) if big else (42,)
    data = bytearray(b"II" if order == "<" else b"MM")
    data += struct.pack(order + "H" * len(marks), *marks)
    word = order + ("Q" if big else "L")
    link = len(data)
    data += bytes(struct.calcsize(word))
    for index, page in enumerate(pages):
        shape = page.shape if page.ndim == 3 else (*page.shape, 1)
        height, width, channels = (shape[1], shape[2], shape[0]) if planar else shape
        planes = list(page) if planar else [page]
        places = []
        for plane in planes:
            places.append(len(data))
            data += plane.astype(plane.dtype.newbyteorder(order)).tobytes()
        fields: dict[int, tuple[int, tuple[int, ...]]] = {
            254: (4, (kinds[index] if kinds else 0,)),
            256: (4, (width,)),
            257: (4, (height,)),
            258: (3, (8 * page.dtype.itemsize,) * channels),
            259: (3, (1,)),
            262: (3, (0 if white else 2 if channels >= 3 else 1,)),
            273: (4, tuple(places)),
            277: (3, (channels,)),
            278: (4, (height,)),
            279: (4, tuple(plane.nbytes for plane in planes)),
            284: (3, (2 if planar else 1,)),
            339: (3, (_FORMATS[page.dtype.kind],) * channels),
        }
        if words and not index:
            fields[270] = (2, tuple(words))
        if channels == 4:
            fields[338] = (3, (2,))
        for tag, value in (tags or {}).items():
            fields[tag] = (3, (value,))
        inline = 8 if big else 4
        entries = []
        for tag, (kind, values) in sorted(fields.items()):
            body = struct.pack(f"{order}{len(values)}{ {2: 'B', 3: 'H', 4: 'L'}[kind] }", *values)
            if len(body) > inline:
                place = len(data)
                data += body
                body = struct.pack(word, place)
            entry = struct.pack(order + ("HHQ" if big else "HHL"), tag, kind, len(values))
            entries.append(entry + body.ljust(inline, b"\0"))
        struct.pack_into(word, data, link, len(data))
        data += struct.pack(order + ("Q" if big else "H"), len(entries)) + b"".join(entries)
        link = len(data)
        data += bytes(struct.calcsize(word))
    return bytes(data)


@pytest.fixture(scope="session")
def write_tiff() -> WriteTiff:
    """Makes the bytes of a TIFF; see `tiff`."""
    return tiff
