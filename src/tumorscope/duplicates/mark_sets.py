"""The marks of all known pictures as twelve sets, and how many of them a picture has.

Each set holds the first, second … marks of all pictures, salted, cut short and in their order, so
that nothing says which marks are of one picture. Sets of few pictures are filled up with marks of
none.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.frequencies import turned_frequencies
from tumorscope.duplicates.marks import COUNT, NONE, Marks, likely_marks, salted

VERSION = 3
"""Raised whenever marks change; `tumorscope.duplicates.thumbprint` has those of before."""

NEEDED = 3
"""So many marks in common make a copy in any turn, and one fewer where the picture lies as the
known one does, or is its mirror image, and has `STRUCTURE`. Of 398 slices from scanners that the
packaged model never saw, all 11 that had two marks in common lay otherwise or had little structure,
and none had three."""

STRUCTURE = 0.051
"""Mean size of frequencies below which a head is like many others, such as a slice of its base."""

FEWEST = 2048
"""Marks in a set, at least."""

SPARE = 12
"""A set has room for 2 to this power times the marks in it: of the 96 that are looked for in one
orientation, one is found by chance in 43 pictures, two in 3,700, and three in 600,000."""

_UPRIGHT = (0, 1)
"""The turns in which a picture lies as it is, and mirrored."""

_ROOM = 4
_HEADER = 9 + 4 * COUNT


@dataclass(frozen=True, slots=True, eq=False)
class MarkSets:
    """Sets of marks, ready to be searched; threads may share it.

    Attributes
    ----------
    salt : int
        Of 64 bits; see `tumorscope.duplicates.marks.salted`.
    bits : int
        To which marks are cut short, 12 to 48.
    keys : ndarray of uint64, shape (n,)
        The marks of all sets, with the number of the set above them, in their order.
    table : ndarray of uint8
        A bit for each of some places to each mark of a set, 1 where one may be: what is not there
        is told by one look.

    Examples
    --------
    >>> from tumorscope.duplicates.enrolment import USUAL, remembered
    >>> from tumorscope.duplicates.frequencies import frequencies
    >>> from tumorscope.imaging import prepare
    >>> from tumorscope.synthetic.phantom_slice import phantom_slice
    >>> scan = phantom_slice(tumour=True, seed=1)
    >>> known = MarkSets.of(remembered(scan))
    >>> known.holds(frequencies(prepare(scan, USUAL)))
    True
    """

    salt: int
    bits: int
    keys: Marks
    table: NDArray[np.uint8]

    @classmethod
    def of(cls, remembered: Marks) -> MarkSets:
        """Return the sets of the marks of all pictures, uint64 (n, 12), one below the other."""
        columns = [np.unique(column) for column in remembered.T]
        columns = [column[column != NONE] for column in columns]
        # Salt and filling come from the marks themselves: the same pictures make the same file,
        # and who does not have them all cannot tell what is filling.
        secret = hashlib.blake2b(b"".join(column.tobytes() for column in columns)).digest()
        salt = int.from_bytes(secret[:8], "little")
        most = max(FEWEST, *map(len, columns))
        bits = (most - 1).bit_length() + SPARE
        filling = np.random.Generator(np.random.PCG64(int.from_bytes(secret[8:], "little")))
        sets = []
        for column in columns:
            short = np.unique(salted(column, salt) >> np.uint64(64 - bits))
            while len(short) < FEWEST:
                more = filling.integers(0, 1 << bits, FEWEST - len(short), dtype=np.uint64)
                short = np.unique(np.concatenate([short, more]))
            sets.append(short)
        return cls.ready(salt, bits, sets)

    @classmethod
    def ready(cls, salt: int, bits: int, sets: Sequence[Marks]) -> MarkSets:
        """Return sets, each of marks in their order, ready to be searched."""
        keys = np.concatenate([each | _above(number, bits) for number, each in enumerate(sets)])
        places = (max(map(len, sets)) - 1).bit_length() + _ROOM
        return cls(salt, bits, keys, np.concatenate([_table(each, places) for each in sets]))

    @property
    def sets(self) -> list[Marks]:
        """The marks of each set, each once, the smallest first."""
        ends = np.searchsorted(self.keys, [_above(number, self.bits) for number in range(1, COUNT)])
        return [each & (_above(1, self.bits) - np.uint64(1)) for each in np.split(self.keys, ends)]

    def holds(self, found: NDArray[np.float32]) -> bool:
        """Return whether a picture is a copy of a known one.

        Parameters
        ----------
        found : ndarray of float32, shape (196,)
            From `tumorscope.duplicates.frequencies.frequencies`.
        """
        in_turns = self.in_common(found)
        if in_turns.max() >= NEEDED:
            return True
        upright = max(in_turns[turn] for turn in _UPRIGHT)
        return bool(upright >= NEEDED - 1 and np.abs(found).mean() >= STRUCTURE)

    def in_common(self, found: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return how many marks a picture has in common with known ones, 0 to 12, in eight turns.

        Parameters
        ----------
        found : ndarray of float32, shape (196,)
            As for `holds`.

        Returns
        -------
        ndarray of int64, shape (8,)
            In the order of `tumorscope.duplicates.frequencies.TURNS`.
        """
        if not found.any():
            return np.zeros(8, dtype=np.int64)
        tried = salted(likely_marks(turned_frequencies(found)), self.salt)
        tried >>= np.uint64(64 - self.bits)
        tried |= _NUMBERS << np.uint64(self.bits)
        places = (8 * len(self.table) // COUNT).bit_length() - 1
        at = _place(tried, self.bits, places)
        likely = np.flatnonzero(self.table[at >> 3] & _BIT[at & 7])
        asked = tried.ravel()[likely]
        near = np.minimum(np.searchsorted(self.keys, asked), len(self.keys) - 1)
        # Marks that are tried of one and the same, side by side in `tried`, count once.
        which = likely[self.keys[near] == asked] // tried.shape[-1]
        hits = np.zeros((len(tried), COUNT), dtype=np.bool_)
        hits.ravel()[which] = True
        counts: NDArray[np.int64] = np.count_nonzero(hits, axis=1)
        return counts

    def pack(self) -> bytes:
        """Return the sets as bytes: steps from one mark to the next, low bytes first."""
        parts, sizes = [], []
        for marks in self.sets:
            steps = np.diff(marks, prepend=np.uint64(0)).astype("<u8")
            parts.append(np.ascontiguousarray(steps.view(np.uint8).reshape(-1, 8).T[:6]).tobytes())
            sizes.append(len(marks))
        header = self.salt.to_bytes(8, "little") + bytes([self.bits])
        return header + np.array(sizes, "<u4").tobytes() + zlib.compress(b"".join(parts))

    @classmethod
    def unpack(cls, data: bytes) -> MarkSets:
        """Return the sets in bytes.

        Raises
        ------
        ValueError
            If they were not made by `pack`.
        """
        salt, bits = int.from_bytes(data[:8], "little"), data[8] if len(data) > 8 else 0
        sizes = np.frombuffer(data[9:_HEADER].ljust(4 * COUNT, b"\0")[: 4 * COUNT], dtype="<u4")
        total = int(sizes.sum(dtype=np.int64))
        packed = data[_HEADER:]
        # Steps between marks that a hash has strewn hardly shrink: what does was not made by us.
        most = COUNT * int(sizes.max())
        if not SPARE <= bits <= 48 or not sizes.all() or most > 2 * total or total > len(packed):
            raise ValueError("marks of known pictures do not fill their data")
        try:
            whole = zlib.decompressobj().decompress(packed, 6 * total + 1)
        except zlib.error as error:
            raise ValueError(f"marks of known pictures cannot be unpacked ({error})") from error
        if len(whole) != 6 * total:
            raise ValueError("marks of known pictures do not fill their data")
        return cls.ready(salt, bits, _sets(whole, sizes.tolist(), bits))


_BIT = np.array([128 >> bit for bit in range(8)], dtype=np.uint8)
_NUMBERS = np.arange(COUNT, dtype=np.uint64)[:, None]


def _above(number: int, bits: int) -> np.uint64:
    return np.uint64(number << bits)


def _place(keys: Marks, bits: int, places: int) -> NDArray[np.int64]:
    """Return where in the table each key is told of: by its set, and its last bits."""
    last = np.uint64((1 << places) - 1)
    place = keys >> np.uint64(bits)
    place <<= np.uint64(places)
    place |= keys & last
    return place.view(np.int64)


def _table(marks: Marks, places: int) -> NDArray[np.uint8]:
    table = np.zeros(1 << places, dtype=np.bool_)
    table[(marks & np.uint64((1 << places) - 1)).view(np.int64)] = True
    return np.packbits(table)


def _sets(whole: bytes, sizes: Sequence[int], bits: int) -> list[Marks]:
    sets, start = [], 0
    for size in sizes:
        planes = np.frombuffer(whole, dtype=np.uint8, count=6 * size, offset=start)
        steps = np.zeros((size, 8), dtype=np.uint8)
        steps[:, :6] = planes.reshape(6, size).T
        start += 6 * size
        marks: Marks = np.cumsum(steps.view("<u8").ravel(), dtype=np.uint64)
        if np.any(marks[1:] <= marks[:-1]) or int(marks[-1]) >> bits:
            raise ValueError("marks of known pictures are not in their order")
        sets.append(marks)
    return sets
