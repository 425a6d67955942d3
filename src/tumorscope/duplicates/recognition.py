"""Thumbprints of known images, and whether a slice is a copy of one of them.

A look at all of them by their layout, in eight orientations and several zooms, leaves a few
candidates. On each the slice is laid by least squares (an axis-parallel map, so that crops of any
sides are followed), and then both must agree place by place.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import TURNS, in_blocks, turned
from tumorscope.duplicates.thumbprint import (
    COARSE,
    COARSE_BAND,
    FINE,
    SIDE,
    band,
    coarse,
    fine,
    framed_heads,
    pixel_maps,
    sampled,
    unpacked,
)
from tumorscope.imaging.slice import Slice

COPY = 0.80
"""Two images that agree at least so far are taken for copies of one picture; see
docs/concepts/what-a-model-has-seen.md for what it finds and how often it errs."""

_AWAY = 0.12
VIEWS = (
    *((zoom, zoom, 0.0, 0.0) for zoom in (0.82, 1.0, 1.22)),
    *((1.12, 1.12, x, y) for x in (-_AWAY, _AWAY) for y in (-_AWAY, _AWAY)),
)
"""Which part of the framed slice is compared with known layouts, as `sampled` takes it: closer,
as it is, from further off, and as if it had lost a corner."""

CANDIDATES = 24
TWICE = 12
FINALISTS = 12

_BLOCK = 160
"""So many known images are multiplied at a time."""

_SOFT = 1.0
_LEAST_OVERLAP = 0.4
_PLACES = ((np.arange(FINE) + 0.5) / FINE * 2.0 - 1.0).astype(np.float32)
_X = np.tile(_PLACES, FINE)
_Y = np.repeat(_PLACES, FINE)
_ROUGH = 1.8
"""Blur, in places of the grid, with which one is first laid upon the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The known image most alike: its position, −1 where there is none, and agreement, 0 to 1."""

    index: int
    agreement: float


class Recogniser:
    """Known thumbprints, ready to be searched; threads may share it.

    Parameters
    ----------
    prints : ndarray of uint8, shape (n, 104)
        From `tumorscope.duplicates.thumbprint.thumbprint`.

    Examples
    --------
    >>> import numpy as np
    >>> from tumorscope.duplicates.thumbprint import thumbprint
    >>> from tumorscope.synthetic.phantom_slice import phantom_slice
    >>> scan = phantom_slice(tumour=True, seed=1)
    >>> Recogniser(thumbprint(scan)[None]).is_copy(scan)
    True
    """

    def __init__(self, prints: NDArray[np.uint8]) -> None:
        layouts, self._grids = unpacked(prints)
        self._count = len(prints)
        self._layouts = in_blocks(layouts, _BLOCK)

    def is_copy(self, scan: Slice) -> bool:
        """Whether a slice shows the same picture as one that is known."""
        return self.best(scan).agreement >= COPY

    def best(self, scan: Slice) -> Best:
        """Return the known image that agrees best with a slice."""
        if not self._count:
            return Best(-1, 0.0)
        heads = framed_heads(scan)
        layouts = coarse(_turned_views([band(head, *COARSE_BAND) for head in heads]))
        likeness = np.matmul(layouts, self._layouts)
        most = likeness.max(axis=1).ravel()[: self._count]
        count = min(CANDIDATES, self._count)
        nearest = np.argpartition(-most, count - 1)[:count]
        nearest = nearest[np.argsort(-most[nearest], kind="stable")]
        views = np.argsort(-likeness[nearest // _BLOCK, :, nearest % _BLOCK], axis=1)[:, :2]
        # Of the first ones two views, as the one most alike may be that of the wrong corner.
        pairs = [np.concatenate([each, each[:TWICE]]) for each in (nearest, views[:, 0])]
        pairs[1][len(views) :] = views[:TWICE, 1]
        return self._verified(heads, *pairs)

    def _verified(
        self, heads: list[NDArray[np.float32]], nearest: NDArray[np.intp], views: NDArray[np.intp]
    ) -> Best:
        oriented = _Turned([fine(each) for each in heads])
        planes, parts = np.divmod(views, len(VIEWS))
        maps = _STARTS[planes % 8, parts]
        grids = self._grids[nearest]
        known = _blurred(grids)
        moving = [oriented.rough(int(each)) for each in planes]
        maps = _laid_upon(known, moving, maps, 3)
        kept = np.argsort(-_agreement(known, moving, maps), kind="stable")[:FINALISTS]
        known, nearest = grids[kept], nearest[kept]
        moving = [oriented.sharp(int(each)) for each in planes[kept]]
        found = _agreement(known, moving, _laid_upon(known, moving, maps[kept], 4))
        first = int(found.argmax())
        return Best(int(nearest[first]), float(np.clip(found[first], 0.0, 1.0)))


class _Turned:
    """Framed heads in eight orientations, sharp and blurred, made when they are asked for."""

    def __init__(self, heads: list[NDArray[np.float32]]) -> None:
        self._heads = heads
        self._sharp: dict[int, NDArray[np.float32]] = {}
        self._rough: dict[int, NDArray[np.float32]] = {}

    def sharp(self, which: int) -> NDArray[np.float32]:
        """Return head ``which // 8`` in orientation ``which % 8``."""
        if which not in self._sharp:
            head, turn = divmod(which, 8)
            self._sharp[which] = np.ascontiguousarray(turned(self._heads[head], turn))
        return self._sharp[which]

    def rough(self, which: int) -> NDArray[np.float32]:
        """Return the same, blurred."""
        if which not in self._rough:
            sigma = _ROUGH * SIDE / FINE
            self._rough[which] = cv2.GaussianBlur(self.sharp(which), (0, 0), sigma)
        return self._rough[which]


def _starts() -> NDArray[np.float64]:
    """Return the map of each view (8, parts, 4) on the head that is turned as the view is."""
    starts = []
    for quarters in range(4):
        for mirrored in (False, True):
            for wide, high, x, y in VIEWS:
                for _ in range(quarters):
                    x, y = y, -x
                starts.append((wide, high, -x if mirrored else x, y))
    return np.array(starts, dtype=np.float64).reshape(8, len(VIEWS), 4)


_STARTS = _starts()


def _turned_views(bands: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return all views (heads × 8 orientations × parts, 16, 16) in which layouts are compared."""
    edge = 2 * COARSE
    views = []
    for plane in bands:
        zoomed = np.stack([sampled(plane, edge, view) for view in VIEWS])
        views += [turned(zoomed, turn) for turn in TURNS]
    return np.concatenate(views)


def _blurred(grids: NDArray[np.float32]) -> NDArray[np.float32]:
    # Grid by grid: as channels of one picture, OpenCV takes no more than 512 of them.
    smooth: NDArray[np.float32] = np.stack(
        [cv2.GaussianBlur(each, (0, 0), _ROUGH) for each in grids]
    )
    return smooth


def _moved(moving: list[NDArray[np.float32]], maps: NDArray[np.float64]) -> NDArray[np.float32]:
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen: NDArray[np.float32] = np.empty((len(moving), FINE, FINE), dtype=np.float32)
    for index, (plane, matrix) in enumerate(zip(moving, pixel_maps(maps, FINE), strict=True)):
        cv2.warpAffine(plane, matrix, (FINE, FINE), dst=seen[index], flags=how)
    return seen.reshape(len(moving), FINE * FINE)


def _inside(maps: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return 1 where a place of the known grid lies within the frame of the slice, else 0."""
    scale = maps.astype(np.float32)
    limit = 1.0 - 1.0 / FINE
    across = np.abs(scale[:, 0:1] * _X + scale[:, 2:3]) < limit
    down = np.abs(scale[:, 1:2] * _Y + scale[:, 3:4]) < limit
    inside: NDArray[np.float32] = (across & down).astype(np.float32)
    return inside


def _laid_upon(
    known: NDArray[np.float32],
    moving: list[NDArray[np.float32]],
    maps: NDArray[np.float64],
    steps: int,
) -> NDArray[np.float64]:
    """Refine maps (n, 4: width, height, x, y) by the inverse compositional method.

    Baker and Matthews, 2004: the gradient of the known grid serves all steps.
    """
    count = len(known)
    down, across = np.gradient(known, axis=(1, 2))
    across, down = (each.reshape(count, -1) * (FINE / 2) for each in (across, down))
    slopes = np.stack([across * _X, down * _Y, across, down], axis=1)
    target = known.reshape(count, -1)
    for _ in range(steps):
        seen, inside = _moved(moving, maps), _inside(maps)
        seen *= inside
        gain = (seen * target).sum(axis=1) / np.maximum((seen * seen).sum(axis=1), 1e-6)
        apart = gain[:, None] * seen - target * inside
        weighted = slopes * inside[:, None, :]
        normal = np.matmul(weighted, slopes.transpose(0, 2, 1)).astype(np.float64)
        normal += _SOFT * np.eye(4)
        wanted = np.matmul(weighted, apart[:, :, None]).astype(np.float64)
        change = np.clip(np.linalg.solve(normal, wanted)[:, :, 0], -0.12, 0.12)
        size = maps[:, :2] / (1.0 + change[:, :2])
        maps = np.concatenate([np.clip(size, 0.5, 2.0), maps[:, 2:] - size * change[:, 2:]], axis=1)
    return maps


def _agreement(
    known: NDArray[np.float32], moving: list[NDArray[np.float32]], maps: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the correlation of each pair where both show something; 0 where that is too little."""
    inside = _inside(maps)
    places = np.maximum(inside.sum(axis=1, keepdims=True), 1.0)
    seen, target = _moved(moving, maps) * inside, known.reshape(len(known), -1) * inside
    seen -= inside * (seen.sum(axis=1, keepdims=True) / places)
    target -= inside * (target.sum(axis=1, keepdims=True) / places)
    spread = np.sqrt((seen * seen).sum(axis=1) * (target * target).sum(axis=1))
    found = (seen * target).sum(axis=1) / np.maximum(spread, 1e-6)
    found[places[:, 0] < _LEAST_OVERLAP * FINE * FINE] = 0.0
    agreement: NDArray[np.float32] = found
    return agreement
