"""A list of files is cut into parts; a part is computed once, whatever is killed."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tumorscope.detection.ray_batch.listing import Entry

USUAL = 256
"""Files of a part, on average: a minute of one core, and a table that is not too small."""

LONGEST = 16
"""A part is cut at this many times the average, whatever its names."""


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbours in the list, computed together.

    Attributes
    ----------
    key : str
        Digest of what decides its rows: the model and its settings, and name, size and version of
        each file. A part with a table of this key need not be computed again.
    entries : tuple of Entry
        In the order of the list.
    """

    key: str
    entries: tuple[Entry, ...]

    @property
    def table(self) -> str:
        """Name of the table of its rows."""
        return f"part-{self.key}.parquet"


def parts_of(entries: Iterable[Entry], identity: str, *, usual: int = USUAL) -> Iterator[Part]:
    """Cut a list into parts, at places that the names decide.

    A part ends behind a file whose name has a checksum of a certain kind, not after a count. So a
    file that comes or goes changes the part that it lies in and no other, and what was computed of
    the others stays good.

    Parameters
    ----------
    entries : iterable of Entry
        Consumed lazily.
    identity : str
        What decides the answers besides the files.
    usual : int
        Files of a part, on average.

    Examples
    --------
    >>> files = [Entry(f"{number}.png", 1, "") for number in range(1000)]
    >>> parts = list(parts_of(files, "", usual=64))
    >>> sum(len(part.entries) for part in parts), len(parts)
    (1000, 12)
    >>> len({part.key for part in parts_of(files[1:], "", usual=64)} & {p.key for p in parts})
    11
    """
    held: list[Entry] = []
    for entry in entries:
        held.append(entry)
        if zlib.crc32(os.fsencode(entry.path)) % usual == 0 or len(held) >= LONGEST * usual:
            yield _part(held, identity)
            held = []
    if held:
        yield _part(held, identity)


def _part(entries: list[Entry], identity: str) -> Part:
    digest = hashlib.sha256(identity.encode())
    for entry in entries:
        digest.update(repr((entry.path, entry.size, entry.version)).encode())
    return Part(digest.hexdigest()[:24], tuple(entries))
