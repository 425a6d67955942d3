"""The layouts of known images, and which of them are most like those of a slice.

Layouts lie in blocks of 64. Up to `MANY` images all blocks are compared, so none is missed. Of
more, alike ones are first brought together: each block has a mean, 64 means are a block in turn,
and only blocks whose means are most alike are compared.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import units
from tumorscope.duplicates.thumbprint import COARSE, layout_steps

WIDTH = COARSE * COARSE

BLOCK = 64
"""Layouts, and views, that are multiplied at a time. With more, linear algebra libraries start
threads of their own, which fight with those that read images."""

MANY = 32_768
"""Known images of which each is compared; of these, the layouts take 8 MB."""

KEPT = 192
"""Blocks that are looked into at each level, of more than `MANY` images."""

_SAMPLE = 256
_ROUNDS = 4


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
    """Layouts of known images; threads may share it.

    Parameters
    ----------
    prints : ndarray of uint8, shape (n, 104)
        From `tumorscope.duplicates.thumbprint.thumbprint`.
    many : int
        Of more than so many, not each is compared.
    """

    def __init__(self, prints: NDArray[np.uint8], *, many: int = MANY) -> None:
        self._prints, self._many = prints, many
        self._lock = threading.Lock()
        self._levels: list[_Level] = []

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
            if not self._levels:
                self._levels = list(_levels(layout_steps(self._prints), self._many))
        lowest, *above = self._levels
        blocks: NDArray[np.intp] | None = None
        for level in reversed(above):
            blocks = level.most_alike(views, blocks, KEPT)[0]
        index, likeness = lowest.most_alike(views, blocks, count)
        return Nearest(index, np.argsort(-likeness, axis=0)[:2].T)


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Vectors in blocks (b, 64 numbers, 64 vectors), and which each is; −1 where there is none.

    Those of many images are kept as steps of 8 bits, with their lengths.
    """

    vectors: NDArray[np.float32] | NDArray[np.int8]
    members: NDArray[np.intp]
    lengths: NDArray[np.float32] | None = None

    def most_alike(
        self, views: NDArray[np.float32], blocks: NDArray[np.intp] | None, count: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the members of some blocks that are most alike, and their products with views."""
        vectors, members, lengths = self.vectors, self.members, self.lengths
        if blocks is not None:
            vectors, members = vectors[blocks], members[blocks]
            lengths = None if lengths is None else lengths[blocks]
        ready = vectors.astype(np.float32, copy=False)
        # View by view in memory, where the best of all is found in a third of the time.
        products = np.empty((len(views), *members.shape), dtype=np.float32)
        for at in range(0, len(views), BLOCK):
            part = slice(at, at + BLOCK)
            np.matmul(views[part], ready, out=products[part].transpose(1, 0, 2))
        most = products.max(axis=0)
        if lengths is not None:
            most /= lengths
        most[members < 0] = -2.0
        flat = most.ravel()
        count = min(count, int(np.count_nonzero(members >= 0)))
        best = np.argpartition(-flat, count - 1)[:count]
        best = best[np.argsort(-flat[best], kind="stable")]
        return members.ravel()[best], products.reshape(len(views), -1)[:, best]


def _levels(steps: NDArray[np.int8], many: int) -> Iterator[_Level]:
    """Yield what is compared, from all layouts to few means of means."""
    count = len(steps)
    order = np.arange(count) if count <= many else _alike_together(steps)
    order = np.concatenate([order, np.full(-count % BLOCK, -1)]).reshape(-1, BLOCK)
    if count <= many:
        vectors = units(steps.astype(np.float32), least=1e-3)
        yield _Level(_in_blocks(vectors, order), order)
        return
    lengths = np.sqrt(np.einsum("ij,ij->i", steps, steps, dtype=np.float32))
    yield _Level(_in_blocks(steps, order), order, np.maximum(lengths, 1e-3)[order])
    means = _means(steps, lengths, order)
    while len(means) > BLOCK:
        order = np.concatenate([np.arange(len(means)), np.full(-len(means) % BLOCK, -1)])
        order = order.reshape(-1, BLOCK)
        yield _Level(_in_blocks(means, order), order)
        means = np.stack([means[each[each >= 0]].mean(axis=0) for each in order])


def _in_blocks(
    vectors: NDArray[np.float32] | NDArray[np.int8], order: NDArray[np.intp]
) -> NDArray[np.float32] | NDArray[np.int8]:
    blocks: NDArray[np.float32] | NDArray[np.int8] = vectors[order].transpose(0, 2, 1).copy()
    return blocks


def _means(
    steps: NDArray[np.int8], lengths: NDArray[np.float32], order: NDArray[np.intp]
) -> NDArray[np.float32]:
    means = np.empty((len(order), WIDTH), dtype=np.float32)
    for row, each in enumerate(order):
        there = each[each >= 0]
        means[row] = (steps[there] / np.maximum(lengths[there], 1e-3)[:, None]).mean(axis=0)
    return means


def _alike_together(steps: NDArray[np.int8]) -> NDArray[np.intp]:
    """Return an order in which each 64 are alike: halved again and again where they differ most."""
    order = np.arange(len(steps))
    waiting = [(0, len(steps))]
    while waiting:
        start, stop = waiting.pop()
        if stop - start <= BLOCK:
            continue
        part = steps[order[start:stop]]
        # Whole blocks on either side, so that all but the last are full.
        middle = -(-(stop - start) // (2 * BLOCK)) * BLOCK
        along = np.einsum("ij,j->i", part, _widest(part))
        halves = np.argpartition(along, middle - 1)
        order[start:stop] = order[start:stop][halves]
        waiting += [(start, start + middle), (start + middle, stop)]
    return order


def _widest(part: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the direction in which some vectors differ most, by repeated multiplication."""
    some = part[:: max(1, len(part) // _SAMPLE)].astype(np.float32)
    some -= some.mean(axis=0)
    along: NDArray[np.float32] = some[np.argmax(np.einsum("ij,ij->i", some, some))].copy()
    for _ in range(_ROUNDS):
        along = np.einsum("i,ij->j", np.einsum("ij,j->i", some, along), some)
        along /= max(float(np.sqrt(along @ along)), 1e-6)
    return along
