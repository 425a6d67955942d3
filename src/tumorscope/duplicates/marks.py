"""Frequencies of a head → twelve marks, each a hash of sixteen of them in coarse steps.

No frequency counts for two marks, and those of one mark are drawn from all over, so that a mark
says little of the picture, and nothing of the other marks. Two pictures that have some marks in
common are taken for copies of one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.frequencies import EDGE

Marks = NDArray[np.uint64]
Numbers = NDArray[np.float32]

COUNT = 12
"""Marks of a picture."""

OF_EACH = 16
"""Frequencies that a mark is made of."""

NONE = np.uint64(0)
"""In place of a mark, where there is none."""

NOTHING: Marks = np.empty((0, COUNT), dtype=np.uint64)
"""The marks of no picture."""

_SPREADS = (0.075, 0.045)
"""Standard deviations of frequencies that are even and odd across, over heads: the step in which
each counts. Heads are nearly alike on both sides, so odd ones are smaller."""

_UNSURE = 3
"""So many numbers of a mark, those nearest to a border between steps, are tried on both sides."""


def marks(found: Numbers) -> Marks:
    """Return the marks of frequencies (…, 196), uint64 (…, 12); `NONE` where all are 0."""
    return likely_marks(found)[..., 0]


def likely_marks(found: Numbers) -> Marks:
    """Return the marks of frequencies and those next to them.

    Parameters
    ----------
    found : ndarray of float32, shape (…, 196)
        From `tumorscope.duplicates.frequencies.frequencies`.

    Returns
    -------
    ndarray of uint64, shape (…, 12, 8)
        The first of eight is that of `marks`; the others are what it would be if up to three
        numbers that lie nearest to a border between two steps lay beyond it.

    Examples
    --------
    >>> likely_marks(np.zeros((5, 196), np.float32)).shape
    (5, 12, 8)
    """
    steps = found[..., _MEMBERS]
    steps *= _PER_STEP
    steps += _OFFSETS
    whole = np.floor(steps)
    steps -= whole
    first: Marks = np.einsum("...ij,ij->...i", whole.astype(np.int64).view(np.uint64), _FACTORS)
    above = steps > 0.5
    distance = np.where(above, np.float32(1.0) - steps, steps)
    unsure = np.argpartition(distance, _UNSURE, axis=-1)[..., :_UNSURE]
    # Where each lies among all, as take_along_axis spends half of its time on finding that out.
    unsure += (OF_EACH * np.arange(first.size)).reshape(*first.shape, 1)
    change = np.where(above, _FACTORS, _BELOW).ravel()[unsure]
    tried = first[..., None] + np.matmul(change, _SOME)
    tried = _mixed(tried)
    tried[~np.any(found, axis=-1)] = NONE
    return tried


def steps_of(found: Numbers) -> Numbers:
    """Return the middles of the steps of frequencies (…, 196) that marks are made of, (…, 192).

    So much of a picture is in its marks: those of the first mark first.
    """
    steps = np.floor(found[..., _MEMBERS] * _PER_STEP + _OFFSETS) + np.float32(0.5) - _OFFSETS
    middles: Numbers = steps.reshape(*found.shape[:-1], COUNT * OF_EACH)
    return middles


def salted(tried: Marks, salt: int) -> Marks:
    """Return marks mixed with a salt, so that those of two model files cannot be compared."""
    return _mixed(tried ^ np.uint64(salt))


def _mixed(values: Marks) -> Marks:
    """Spread every bit over all 64 (the finaliser of splitmix64)."""
    mixed: Marks = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _members() -> NDArray[np.intp]:
    """Return which frequencies each mark is made of, (12, 16): the lowest 192, mixed."""
    down, across = np.divmod(np.arange(1, EDGE * EDGE), EDGE)
    lowest = 1 + np.argsort(np.hypot(down, across), kind="stable")[: COUNT * OF_EACH]
    # By their hashes, because a generator may draw otherwise in another version of numpy.
    order = np.argsort(_mixed(lowest.astype(np.uint64)), kind="stable")
    return lowest[order].reshape(COUNT, OF_EACH)


_MEMBERS = _members()
_PER_STEP = (1.0 / np.where(_MEMBERS % EDGE % 2, _SPREADS[1], _SPREADS[0])).astype(np.float32)
_FACTORS = _mixed(_MEMBERS.astype(np.uint64) + np.uint64(1000)) | np.uint64(1)
_BELOW = -_FACTORS
_OFFSETS = (_mixed(_MEMBERS.astype(np.uint64) + np.uint64(2000)) >> np.uint64(40)).astype(
    np.float32
) / np.float32(1 << 24)
_SOME = np.array(
    [[which >> each & 1 for which in range(1 << _UNSURE)] for each in range(_UNSURE)],
    dtype=np.uint64,
)
