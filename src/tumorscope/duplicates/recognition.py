"""Thumbprints of known images, and whether a slice is a copy of one of them.

A look at all of them by their layout, in eight orientations and several zooms, leaves a few
candidates. On each the slice is laid by least squares (an axis-parallel map, so that crops of any
sides are followed), and then both must agree place by place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.laying import Planes, agreement, laid_upon
from tumorscope.duplicates.layouts import Layouts
from tumorscope.duplicates.sampling import TURNS, turned
from tumorscope.duplicates.thumbprint import (
    COARSE,
    COARSE_BAND,
    FINE,
    SIDE,
    band,
    coarse,
    fine,
    framed_heads,
    grids_of,
    sampled,
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
FINALISTS = 8
"""So many that agree best once they are laid upon each other blurred are so sharp as well."""

SURE = 4
"""And the first so many candidates, from where they start: blurred, other heads may agree more."""

LIKELY = 0.94
"""Where a layout is so much alike, these are laid first, and are enough if one agrees: so for 85 %
of changed copies, and 12 % of other pictures take longer. It changes no answer."""

_ROUGH = 1.8
"""Blur with which they are first laid upon each other, in places of the whole grid."""

_STEPS = (3, 4)
"""Of laying the blurred ones upon each other, and then the sharp ones."""


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
        # Grids are unpacked of the candidates alone: of all they would take 22 times the memory.
        self._prints = prints
        self._layouts = Layouts(prints)

    def is_copy(self, scan: Slice) -> bool:
        """Whether a slice shows the same picture as one that is known."""
        return self._best(scan, enough=COPY).agreement >= COPY

    def best(self, scan: Slice) -> Best:
        """Return the known image that agrees best with a slice."""
        return self._best(scan, enough=math.inf)

    def _best(self, scan: Slice, *, enough: float) -> Best:
        if not len(self._prints):
            return Best(-1, 0.0)
        heads = framed_heads(scan)
        layouts = _layouts_of_views([band(head, *COARSE_BAND) for head in heads])
        found = self._layouts.nearest(layouts, CANDIDATES)
        # Of the first ones two views, as the one most alike may be that of the wrong corner.
        nearest = np.concatenate([found.index, found.index[:TWICE]])
        views = np.concatenate([found.views[:, 0], found.views[:TWICE, 1]])
        pairs = _Pairs.of([fine(head) for head in heads], grids_of(self._prints[nearest]), views)
        if found.likeness[0] >= LIKELY and enough <= 1.0:
            which, agreements = pairs.first(SURE)
            if agreements.max() >= enough:
                return _best_of(nearest[which], agreements)
        which, agreements = pairs.verified()
        return _best_of(nearest[which], agreements)


def _best_of(index: NDArray[np.intp], agreements: NDArray[np.float32]) -> Best:
    first = int(agreements.argmax())
    return Best(int(index[first]), float(np.clip(agreements[first], 0.0, 1.0)))


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Known grids (n, 24, 24), and for each which turned head is laid on it, from which map on."""

    grids: NDArray[np.float32]
    heads: list[NDArray[np.float32]]
    turns: NDArray[np.intp]
    which: NDArray[np.intp]
    maps: NDArray[np.float32]

    @classmethod
    def of(
        cls, heads: list[NDArray[np.float32]], grids: NDArray[np.float32], views: NDArray[np.intp]
    ) -> _Pairs:
        turns, parts = np.divmod(views, len(VIEWS))
        used, which = np.unique(turns, return_inverse=True)
        return cls(grids, heads, used, which, _STARTS[turns % 8, parts])

    def first(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the first pairs, and how far they agree once they are laid upon each other."""
        pairs = np.arange(min(count, len(self.grids)))
        return pairs, self._agreement(pairs, self.maps[pairs])

    def verified(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the first pairs and those that agree best blurred, and how far they agree."""
        kept, maps = self._finalists()
        pairs = np.arange(min(SURE, len(self.grids)))
        maps = np.concatenate([maps, self.maps[pairs]])
        pairs = np.concatenate([kept, pairs])
        return pairs, self._agreement(pairs, maps)

    def _agreement(self, pairs: NDArray[np.intp], maps: NDArray[np.float32]) -> NDArray[np.float32]:
        sharp, grids = Planes(_turned(self.heads, self.turns)), self.grids[pairs]
        which = self.which[pairs]
        maps = laid_upon(grids, sharp, which, maps, steps=_STEPS[1], exact=True)
        return agreement(grids, sharp, which, maps)

    def _finalists(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the pairs that agree best once they are laid upon each other blurred."""
        known = np.matmul(np.matmul(_BLUR, self.grids), _BLUR.T)
        sigma = _ROUGH * SIDE / FINE
        blurred = [cv2.GaussianBlur(head, (0, 0), sigma) for head in self.heads]
        rough = Planes(_turned(blurred, self.turns))
        laid = laid_upon(known, rough, self.which, self.maps, steps=_STEPS[0], exact=False)
        found = agreement(known, rough, self.which, laid)
        kept = np.argsort(-found, kind="stable")[:FINALISTS]
        return kept, laid[kept]


def _turned(heads: list[NDArray[np.float32]], turns: NDArray[np.intp]) -> list[NDArray[np.float32]]:
    """Return head ``turn // 8`` in orientation ``turn % 8``, for each turn."""
    return [turned(heads[turn // 8], turn % 8) for turn in turns.tolist()]


def _starts() -> NDArray[np.float32]:
    """Return the map of each view (8, parts, 4) on the head that is turned as the view is."""
    starts = []
    for quarters in range(4):
        for mirrored in (False, True):
            for wide, high, x, y in VIEWS:
                for _ in range(quarters):
                    x, y = y, -x
                starts.append((wide, high, -x if mirrored else x, y))
    return np.array(starts, dtype=np.float32).reshape(8, len(VIEWS), 4)


_STARTS = _starts()


def _blur() -> NDArray[np.float32]:
    """Return what blurs a column of the grid and halves it, (12, 24)."""
    kernel = cv2.getGaussianKernel(15, _ROUGH, cv2.CV_32F)
    whole = cv2.sepFilter2D(np.eye(FINE, dtype=np.float32), -1, np.ones(1, np.float32), kernel)
    half: NDArray[np.float32] = np.ascontiguousarray(0.5 * (whole[0::2] + whole[1::2]))
    return half


_BLUR = _blur()


def _turned_waves() -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return which frequency takes the place of each in the eight orientations, and its sign.

    Turning a picture by quarters and mirroring it only reorders its cosines and turns some over.
    """
    down, across = np.divmod(np.arange(COARSE * COARSE), COARSE)
    order, sign = [], []
    for turn in TURNS:
        places = np.arange(COARSE * COARSE).reshape(COARSE, COARSE)
        signs = np.ones((COARSE, COARSE), dtype=np.float32)
        quarters, mirrored = divmod(turn, 2)
        for _ in range(quarters):  # transposed, then upside down
            places, signs = places.T, signs.T * np.where(np.arange(COARSE) % 2, -1.0, 1.0)[:, None]
        if mirrored:
            signs = signs * np.where(np.arange(COARSE) % 2, -1.0, 1.0)
        order.append(places[down, across])
        sign.append(signs[down, across])
    return np.stack(order), np.stack(sign).astype(np.float32)


_ORDER, _SIGN = _turned_waves()


def _layouts_of_views(bands: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the layouts of all views, (heads, 8 orientations, parts, 64)."""
    edge = 2 * COARSE
    seen = np.stack([[sampled(plane, edge, view) for view in VIEWS] for plane in bands])
    upright = coarse(seen)
    views: NDArray[np.float32] = upright[:, :, _ORDER] * _SIGN
    return np.ascontiguousarray(views.transpose(0, 2, 1, 3))
