"""The layouts of known images, and which of them are most like those of a slice.

Every layout is compared with every view, so that none is missed: 64 at a time, because with more a
linear algebra library starts threads of its own, which fight with those that read images.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import in_blocks, units
from tumorscope.duplicates.thumbprint import layout_steps

BLOCK = 64
"""Layouts, and views, that are multiplied at a time."""

AT_ONCE = 512
"""Blocks whose products are in memory at a time, 7 MB or 15. Of more known images than these hold,
layouts are kept in 8 bits: a million take 64 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The known images whose layouts are most like some view of a slice.

    Attributes
    ----------
    index : ndarray of int, shape (k,)
        Their positions, the most alike first.
    views : ndarray of int, shape (k, 2)
        For each, the two views that are most like it.
    """

    index: NDArray[np.intp]
    views: NDArray[np.intp]


class Layouts:
    """Layouts of known images, laid out at the first comparison; threads may share it.

    Parameters
    ----------
    prints : ndarray of uint8, shape (n, 104)
        From `tumorscope.duplicates.thumbprint.thumbprint`.
    at_once : int
        See `AT_ONCE`.
    """

    def __init__(self, prints: NDArray[np.uint8], *, at_once: int = AT_ONCE) -> None:
        self._prints, self._at_once = prints, at_once
        self._lock = threading.Lock()
        self._blocks: _Blocks | None = None

    def nearest(self, views: NDArray[np.float32], count: int) -> Nearest:
        """Return the `count` known images most alike, or all that there are.

        Parameters
        ----------
        views : ndarray of float32, shape (m, 64)
            Layouts of a slice, of unit length; m at least 2.
        count : int
            At least 1.
        """
        with self._lock:
            if self._blocks is None:
                self._blocks = _Blocks.of(layout_steps(self._prints), self._at_once)
        known, parts = len(self._prints), []
        for at in range(0, len(self._blocks.vectors), self._at_once):
            products = self._blocks.products(views, slice(at, at + self._at_once))
            start = at * BLOCK
            most = products.max(axis=0)[: known - start]
            wanted = min(count, len(most))
            best = np.argpartition(-most, wanted - 1)[:wanted]
            parts.append((best + start, most[best], products[:, best]))
        index, most = (np.concatenate([part[which] for part in parts]) for which in (0, 1))
        first = np.argsort(-most, kind="stable")[:count]
        likeness = np.concatenate([part[2] for part in parts], axis=1)[:, first]
        return Nearest(index[first], np.argsort(-likeness, axis=0)[:2].T)


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Layouts in blocks (b, 64 numbers, 64 layouts): of unit length, or in steps with lengths."""

    vectors: NDArray[np.float32] | NDArray[np.int8]
    lengths: NDArray[np.float32] | None

    @classmethod
    def of(cls, steps: NDArray[np.int8], at_once: int) -> _Blocks:
        if len(steps) <= at_once * BLOCK:
            return cls(in_blocks(units(steps.astype(np.float32), least=_LEAST), BLOCK), None)
        lengths = np.sqrt(np.einsum("ij,ij->i", steps, steps, dtype=np.float32))
        padded = np.pad(np.maximum(lengths, _LEAST), (0, -len(steps) % BLOCK), constant_values=1.0)
        return cls(in_blocks(steps, BLOCK), padded)

    def products(self, views: NDArray[np.float32], which: slice) -> NDArray[np.float32]:
        """Return the likeness of each view to each layout of some blocks, (m, 64 b)."""
        vectors = self.vectors[which].astype(np.float32, copy=False)
        # View by view in memory, where the best of all is found in a third of the time.
        products = np.empty((len(views), len(vectors), BLOCK), dtype=np.float32)
        for at in range(0, len(views), BLOCK):
            some = slice(at, at + BLOCK)
            np.matmul(views[some], vectors, out=products[some].transpose(1, 0, 2))
        flat = products.reshape(len(views), -1)
        if self.lengths is not None:
            flat /= self.lengths[which.start * BLOCK : which.stop * BLOCK]
        return flat


_LEAST = 1e-3
"""Length of the layout of an image without structure, which is like none."""
