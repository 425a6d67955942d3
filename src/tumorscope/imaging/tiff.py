"""The directories of a TIFF file: how many pictures it holds, and how their samples are stored.

Pillow and OpenCV decode them, and neither tells: of a stack both return the first page, and 16-bit
"white is zero" both return as a negative.
"""

from __future__ import annotations

import contextlib
import re
import struct
from dataclasses import dataclass, field, replace

from tumorscope.imaging.bounds import TooMuchError

MOST_PAGES = 10_000
"""More are not counted."""

_UINTS = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_KINDS = {1: "unsigned", 2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
_COMPRESSIONS = {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
MOST_ENTRIES = 100_000
"""Of all directories together."""

MOST_STRIPS = 200_000
"""Strips or tiles of one page."""

_READ = frozenset({254, 255, 256, 257, 258, 259, 262, 270, 273, 277, 279, 284})
_READ |= {322, 323, 324, 325, 339}
_STRIPS = frozenset({273, 279, 324, 325})
_INNER = frozenset({34665, 34853, 40965})
"""Tags whose value is the place of a further directory: Exif, GPS, interoperability."""

_IMAGEJ = re.compile(rb"^ImageJ=.*?^images=(\d+)", re.S | re.M)


@dataclass(frozen=True, slots=True)
class Page:
    """One directory of a TIFF file.

    Attributes
    ----------
    index : int
        Which it is, from 0.
    width, height : int
        In pixels.
    bits : tuple of int
        Of each sample of a pixel.
    kind : str
        What they are: unsigned, signed, floating-point, complex or unknown.
    white_is_zero : bool
        Whether 0 is white and larger values are darker.
    planar : bool
        Whether each channel is stored as a plane of its own.
    beside : bool
        Whether it says that it is a smaller version or a mask of another page.
    pictures : int
        How many pictures lie one behind the other in its pixels, as ImageJ stores large stacks.
    ends : int
        The last byte that its pixels need.
    compression : str
        Its name, of those that not every library knows; else empty.
    tile : int
        Pixels of one tile, for which a decoder makes room; 0 where it has none.
    swapped : bool
        Whether its values are signed or floating-point, big endian and compressed: of these Pillow
        swaps the bytes once too often.
    """

    index: int
    width: int
    height: int
    bits: tuple[int, ...]
    kind: str
    white_is_zero: bool
    planar: bool
    beside: bool
    pictures: int
    ends: int
    compression: str
    tile: int = 0
    swapped: bool = False

    @property
    def plain(self) -> bool:
        """Whether its samples are unsigned and of at most 8 bits."""
        return self.kind in ("unsigned", "unknown") and max(self.bits) <= 8

    @property
    def words(self) -> str:
        """How its samples are stored, for people."""
        count, depths = len(self.bits), "/".join(map(str, sorted(set(self.bits))))
        channels = "" if count == 1 else f", {count} channels" + (" in planes" * self.planar)
        return f"{depths}-bit {self.kind} values{channels}"


@dataclass(slots=True)
class _Allowance:
    """What directories may hold: those of a whole file do not share the bytes of their values."""

    size: int
    entries: int = MOST_ENTRIES
    inner: list[int] = field(default_factory=list)

    def take(self, tag: int, number: int, size: int) -> None:
        self.entries, self.size = self.entries - 1, self.size - (size if size > 8 else 0)
        if self.entries < 0:
            raise TooMuchError(f"more than {MOST_ENTRIES:,} entries in its directories")
        if self.size < 0:
            raise TooMuchError("directories whose values take more bytes than the file")
        if tag in _STRIPS and number > MOST_STRIPS:
            raise TooMuchError(f"{number:,} strips, of which {MOST_STRIPS:,} are allowed")


def check_directories(data: bytes) -> None:
    """Refuse Exif data, which are directories of a TIFF file, with more than a library may parse.

    Parameters
    ----------
    data : bytes
        From the byte order on.

    Raises
    ------
    TooMuchError
        If there is too much. What cannot be parsed at all is left to the library.
    """
    pages_of(data)


def pages_of(data: bytes) -> list[Page]:
    """Return the pages of a TIFF or BigTIFF file; those that can be parsed.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    TooMuchError
        If the directories hold so much that a library would take minutes or fill the memory.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    pages: list[Page] = []
    seen: set[int] = set()
    # Twice, because some programs let values of several pages lie in one place.
    allowance = _Allowance(2 * len(data) + 65536)
    try:
        (place,) = struct.unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)
        while place and place not in seen and len(pages) < MOST_PAGES:
            seen.add(place)
            tags, place = _directory(data, place, order, big, allowance)
            pages.append(_page(len(pages), tags, order))
        while allowance.inner and (inner := allowance.inner.pop()) not in seen:
            seen.add(inner)
            with contextlib.suppress(struct.error, IndexError):
                _directory(data, inner, order, big, allowance)
    except TooMuchError:
        raise
    except (struct.error, IndexError, ValueError, OverflowError):
        # Without a first directory, what decodes says what is wrong. A further one that is
        # announced and lost is a picture all the same.
        if pages:
            pages.append(replace(pages[0], index=len(pages)))
    return pages


def picture_of(pages: list[Page]) -> tuple[Page | None, int]:
    """Return the page that is the picture, and how many pictures there are in all.

    Smaller versions and masks of a page do not count: what says that it is one, and what has the
    same proportions as a page and at most half its size.
    """
    own = [page for page in pages if not page.beside] or pages[:1]
    largest = max(own, key=lambda page: page.width * page.height, default=None)
    if largest is None:
        return None, 0
    count = sum(page is largest or not _smaller(page, largest) for page in own)
    return largest, max(count, largest.pictures)


def _smaller(page: Page, than: Page) -> bool:
    across, down = than.width / max(1, page.width), than.height / max(1, page.height)
    tolerance = 1.5 * max(across, down) / max(1, min(page.width, page.height))
    return min(across, down) >= 2 and abs(across - down) <= tolerance


def _directory(
    data: bytes, place: int, order: str, big: bool, allowance: _Allowance
) -> tuple[dict[int, tuple[int, bytes]], int]:
    """Return type and bytes of the values of each tag, and where the next directory lies."""
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, place)
    at, step, room = place + (8 if big else 2), (20 if big else 12), (8 if big else 4)
    if count * step > len(data):
        raise ValueError("more entries than bytes")
    tags = {}
    for entry in range(at, at + count * step, step):
        tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHL"), data, entry)
        size = _SIZES.get(kind, 0) * number
        allowance.take(tag, number, min(size, len(data)))
        start = entry + (12 if big else 8)
        if size > room:
            (start,) = struct.unpack_from(order + ("Q" if big else "L"), data, start)
        if tag in _READ:
            tags[tag] = (kind, data[start : start + size])
        elif tag in _INNER:
            allowance.inner.append(*struct.unpack_from(order + ("Q" if big else "L"), data, start))
    (following,) = struct.unpack_from(order + ("Q" if big else "L"), data, at + count * step)

    def swapped(kind: int, values: bytes) -> bytes:
        # Bytes of numbers become little endian, so that only this function knows the order.
        size = _SIZES.get(kind, 1)
        if order == "<" or size == 1 or kind not in _UINTS:
            return values
        whole = len(values) // size * size
        form = f"{whole // size}{_UINTS[kind]}"
        return struct.pack("<" + form, *struct.unpack(">" + form, values[:whole]))

    return {tag: (kind, swapped(kind, values)) for tag, (kind, values) in tags.items()}, following


def _page(index: int, tags: dict[int, tuple[int, bytes]], order: str) -> Page:
    def numbers(tag: int, default: int) -> tuple[int, ...]:
        kind, values = tags.get(tag, (0, b""))
        form = _UINTS.get(kind)
        if form is None or len(values) < _SIZES[kind]:
            return (default,)
        return struct.unpack(f"<{len(values) // _SIZES[kind]}{form}", values)

    samples = numbers(277, 1)[0]
    bits = numbers(258, 1)
    offsets = numbers(273, 0) if 273 in tags else numbers(324, 0)
    counts = numbers(279, 0) if 279 in tags else numbers(325, 0)
    across, down = numbers(322, 0)[0], numbers(323, 0)[0]
    kind = _KINDS.get(numbers(339, 1)[0], "unknown")
    scheme = numbers(259, 1)[0]
    stack = _IMAGEJ.search(tags.get(270, (0, b""))[1])
    return Page(
        index=index,
        width=numbers(256, 0)[0],
        height=numbers(257, 0)[0],
        bits=bits if len(bits) >= min(samples, 64) else bits[:1] * max(1, min(samples, 64)),
        kind=kind,
        white_is_zero=numbers(262, 1)[0] == 0,
        planar=numbers(284, 1)[0] == 2 and samples > 1,
        beside=bool(numbers(254, 0)[0] & 5) or numbers(255, 1)[0] == 2,
        pictures=max(1, int(stack.group(1)[:9])) if stack else 1,
        compression=_COMPRESSIONS.get(scheme, ""),
        ends=max(map(sum, zip(offsets, counts, strict=False)), default=0),
        tile=across * down,
        swapped=order == ">" and scheme != 1 and kind in ("signed", "floating-point"),
    )
