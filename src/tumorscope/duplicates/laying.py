"""Framed heads laid upon grids of known ones by least squares, many pairs at a time.

Each map has four numbers: width and height of the part of the slice that a known picture shows,
and the place of its middle, from −1 to 1, x first. Such maps follow crops of any sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.thumbprint import SIDE

Maps = NDArray[np.float32]

LEAST_OVERLAP = 0.4
"""Share of the known grid below which what both show proves nothing."""

_SOFT = 1.0 / 576
"""Keeps a grid without structure from sending its map anywhere; per place."""

_LONGEST = 0.12
"""A step changes no number of a map by more."""


class Planes:
    """Pictures 64 × 64, one below the other in a tall one, so that one call samples all.

    Parameters
    ----------
    planes : sequence of ndarray of float32, shape (64, 64)
    """

    def __init__(self, planes: Sequence[NDArray[np.float32]]) -> None:
        self._tall = np.concatenate(planes)

    def sampled(
        self, which: NDArray[np.intp], maps: Maps, edge: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sample a plane for each map at edge × edge places.

        Returns
        -------
        tuple of ndarray of float32, shape (n, edge * edge)
            What is seen there, 0 beyond the plane; and 1 within it, 0 beyond.
        """
        shape = (len(maps), edge, edge)
        # Maps are parallel to the axes, so a row of places has one y and a column one x.
        across = maps[:, 0:1] * _places(edge) + maps[:, 2:3]
        down = maps[:, 1:2] * _places(edge) + maps[:, 3:4]
        limit = np.float32(1.0 - 1.0 / edge)
        ends = [(np.abs(each) < limit).astype(np.float32) for each in (down, across)]
        inside = np.multiply(ends[0][:, :, None], ends[1][:, None, :]).reshape(len(maps), -1)
        across *= _SCALE
        across += _MIDDLE
        down *= _SCALE
        down += (which[:, None] * SIDE + _MIDDLE).astype(np.float32)
        x, y = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        x[...], y[...] = across[:, None, :], down[:, :, None]
        rows = (len(maps), edge * edge)
        # What lies beyond the plane comes from another one, or nowhere, and is not counted.
        seen = cv2.remap(self._tall, x.reshape(rows), y.reshape(rows), cv2.INTER_LINEAR)
        seen *= inside
        return seen, inside


_SCALE, _MIDDLE = np.float32(SIDE / 2), np.float32((SIDE - 1) / 2)


@cache
def _places(edge: int) -> NDArray[np.float32]:
    places = (np.arange(edge) + 0.5) / edge * 2.0 - 1.0
    return places.astype(np.float32)


def laid_upon(
    known: NDArray[np.float32],
    planes: Planes,
    which: NDArray[np.intp],
    maps: Maps,
    *,
    steps: int,
    exact: bool,
) -> Maps:
    """Refine maps by the inverse compositional method.

    Baker and Matthews, 2004: the gradient of the known grid serves all steps.

    Parameters
    ----------
    known : ndarray of float32, shape (n, edge, edge)
        Grids of known pictures.
    planes : Planes
        Pictures to lay upon them.
    which : ndarray of int, shape (n,)
        The plane of each pair.
    maps : ndarray of float32, shape (n, 4)
        Where to begin.
    steps : int
        At least 1.
    exact : bool
        Whether places that the slice does not show are left out of the first normal equations,
        which go on to serve all steps; else each step is somewhat shorter.
    """
    count, edge = len(known), known.shape[-1]
    slopes, target = _slopes(known), known.reshape(count, -1)
    soft = np.float32(_SOFT * edge * edge) * np.eye(4, dtype=np.float32)
    inverse: NDArray[np.float32] | None = None
    for _ in range(steps):
        seen, inside = planes.sampled(which, maps, edge)
        there = target * inside
        if inverse is None:
            weighted = slopes * inside[:, None, :] if exact else slopes
            inverse = np.linalg.inv(np.matmul(weighted, slopes.transpose(0, 2, 1)) + soft)
        gain = _dots(seen, there) / np.maximum(_dots(seen, seen), 1e-6)
        seen *= gain[:, None]
        seen -= there
        change = np.matmul(inverse, np.matmul(slopes, seen[:, :, None]))[:, :, 0]
        change = np.clip(change, -_LONGEST, _LONGEST)
        size = maps[:, :2] / (1.0 + change[:, :2])
        maps = np.concatenate([np.clip(size, 0.5, 2.0), maps[:, 2:] - size * change[:, 2:]], axis=1)
    return maps


def agreement(
    known: NDArray[np.float32], planes: Planes, which: NDArray[np.intp], maps: Maps
) -> NDArray[np.float32]:
    """Return the correlation of each pair where both show something; 0 where that is too little.

    Parameters
    ----------
    known, planes, which, maps
        See `laid_upon`.
    """
    edge = known.shape[-1]
    seen, inside = planes.sampled(which, maps, edge)
    target = known.reshape(len(known), -1) * inside
    places = np.maximum(inside.sum(axis=1, keepdims=True), 1.0)
    seen -= inside * (seen.sum(axis=1, keepdims=True) / places)
    target -= inside * (target.sum(axis=1, keepdims=True) / places)
    spread = np.sqrt(_dots(seen, seen) * _dots(target, target))
    found: NDArray[np.float32] = _dots(seen, target) / np.maximum(spread, 1e-6)
    found[places[:, 0] < LEAST_OVERLAP * edge * edge] = 0.0
    return found


def _slopes(known: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how grids change with each number of a map, float32 (n, 4, edge * edge)."""
    count, edge = len(known), known.shape[-1]
    places = _places(edge)
    slopes = np.empty((count, 4, edge, edge), dtype=np.float32)
    across, down = slopes[:, 2], slopes[:, 3]
    _difference(known, across)
    _difference(known.transpose(0, 2, 1), down.transpose(0, 2, 1))
    np.multiply(across, places, out=slopes[:, 0])
    np.multiply(down, places[:, None], out=slopes[:, 1])
    return slopes.reshape(count, 4, edge * edge)


def _difference(values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write the slope along the last axis per unit of a map, as `numpy.gradient` has it."""
    half = np.float32(values.shape[-1] / 4)
    np.subtract(values[..., 2:], values[..., :-2], out=out[..., 1:-1])
    np.subtract(values[..., 1], values[..., 0], out=out[..., 0])
    np.subtract(values[..., -1], values[..., -2], out=out[..., -1])
    out *= half
    out[..., 0] *= 2.0
    out[..., -1] *= 2.0


def _dots(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    dots: NDArray[np.float32] = np.einsum("ij,ij->i", one, other)
    return dots
