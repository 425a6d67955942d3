"""The layouts of known images, and which of them are most like those of a slice.

Every layout is compared with every view, so that none is missed. A mirrored picture has the same
frequencies, some of them turned over: those that are odd across, or odd down. So the products of
what is even and odd each way are computed once, and serve a view and its three mirror images.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import units
from tumorscope.duplicates.thumbprint import COARSE, layout_steps

_Number = TypeVar("_Number", np.float32, np.int8)

BLOCK = 512
"""Layouts that are multiplied at a time with `VIEWS_AT_ONCE` views: with more, a linear algebra
library starts threads of its own, which fight with those that read images."""

VIEWS_AT_ONCE = 16

UPRIGHT = (0, 2)
"""Of the orientations, upright and turned by a quarter: the other six are their mirror images."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The known images whose layouts are most like some view of a slice.

    Attributes
    ----------
    index : ndarray of int, shape (k,)
        Their positions, the most alike first.
    views : ndarray of int, shape (k, 2)
        For each, the two views that are most like it.
    likeness : ndarray of float32, shape (k,)
        To the first of these: a cosine.
    """

    index: NDArray[np.intp]
    views: NDArray[np.intp]
    likeness: NDArray[np.float32]


class Layouts:
    """Layouts of known images, laid out at the first comparison; threads may share it.

    Those of a million take 68 MB.

    Parameters
    ----------
    prints : ndarray of uint8, shape (n, 104)
        From `tumorscope.duplicates.thumbprint.thumbprint`.
    """

    def __init__(self, prints: NDArray[np.uint8]) -> None:
        self._prints = prints
        self._lock = threading.Lock()
        self._columns: _Columns | None = None

    def nearest(self, views: NDArray[np.float32], count: int) -> Nearest:
        """Return the `count` known images most alike, or all that there are.

        Parameters
        ----------
        views : ndarray of float32, shape (heads, 8, parts, 64)
            Layouts of a slice, of unit length, in each of `tumorscope.duplicates.sampling.TURNS`.
        count : int
            At least 1.

        Returns
        -------
        Nearest
            Views are counted through heads, turns and parts.
        """
        with self._lock:
            if self._columns is None:
                self._columns = _Columns.of(layout_steps(self._prints))
        most = self._columns.most(views[:, UPRIGHT].reshape(-1, views.shape[-1]))
        wanted = min(count, len(most))
        known = np.argpartition(-most, wanted - 1)[:wanted]
        known = known[np.argsort(-most[known], kind="stable")]
        vectors = units(layout_steps(self._prints[known]).astype(np.float32), least=_LEAST)
        likeness = views.reshape(-1, views.shape[-1]) @ vectors.T
        return Nearest(known, np.argsort(-likeness, axis=0)[:2].T, likeness.max(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Layouts in steps as columns (4, 16, n), by what is even and odd, and their lengths.

    8 bits are read from memory and widened in the time in which 32 bits are read.
    """

    vectors: NDArray[np.int8]
    lengths: NDArray[np.float32]

    @classmethod
    def of(cls, steps: NDArray[np.int8]) -> _Columns:
        lengths = np.sqrt(np.einsum("ij,ij->i", steps, steps, dtype=np.float32))
        return cls(_by_parity(steps), np.maximum(lengths, np.float32(_LEAST)))

    def most(self, upright: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the likeness of each layout to the view most like it, mirrored or not."""
        views = np.ascontiguousarray(_by_parity(upright).transpose(0, 2, 1))
        found = np.full(len(self.lengths), -np.inf, dtype=np.float32)
        # One room for all blocks, so that it stays in the cache.
        room = np.empty((4, self.vectors.shape[1], BLOCK), dtype=np.float32)
        for start in range(0, len(found), BLOCK):
            part = found[start : start + BLOCK]
            vectors = room[..., : len(part)]
            vectors[...] = self.vectors[..., start : start + BLOCK]
            for first in range(0, views.shape[1], VIEWS_AT_ONCE):
                products = np.matmul(views[:, first : first + VIEWS_AT_ONCE], vectors)
                np.maximum(part, _most_mirrored(products), out=part)
        found /= self.lengths
        return found


_LEAST = 1e-3
"""Length of the layout of an image without structure, which is like none."""


def _most_mirrored(products: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the greatest product of all views and their mirror images, from those by parity.

    Mirrored across, what is odd across turns over, and downwards what is odd down; so they are
    even ± across ± (down ± both), where the last two signs are alike in all.
    """
    even, across, down, both = products
    most = even + across
    other = down + both
    most += np.abs(other, out=other)
    even -= across
    down -= both
    even += np.abs(down, out=down)
    np.maximum(most, even, out=most)
    greatest: NDArray[np.float32] = np.max(most, axis=0)
    return greatest


_PARITY = np.argsort(
    [down % 2 * 2 + across % 2 for down in range(COARSE) for across in range(COARSE)],
    kind="stable",
).reshape(4, -1)
"""Which numbers of a layout are even both ways, odd across, odd down and odd both ways."""


def _by_parity(layouts: NDArray[_Number]) -> NDArray[_Number]:
    """Return layouts (n, 64) as (4, 16, n)."""
    return np.ascontiguousarray(layouts.T[_PARITY])
