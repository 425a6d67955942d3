"""Grids are laid upon each other: what was moved is found again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.duplicates.laying import Planes, agreement, laid_upon
from tumorscope.duplicates.thumbprint import FINE, SIDE, fine, framed_heads, sampled
from tumorscope.synthetic.phantom_slice import phantom_slice


def plane(seed: int = 1) -> NDArray[np.float32]:
    return fine(framed_heads(phantom_slice(tumour=False, seed=seed))[0])


def maps(*rows: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)


def test_planes_are_sampled_as_one_by_one() -> None:
    moved = maps((1, 1, 0, 0), (0.8, 0.9, 0.05, -0.1), (1.3, 1.1, 0.3, 0.2))
    planes = [plane(1), plane(2)]
    seen, inside = Planes(planes).sampled(np.array([0, 1, 1]), moved, FINE)
    for row, (which, view) in enumerate(zip((0, 1, 1), moved, strict=True)):
        within = inside[row].reshape(FINE, FINE) > 0
        alone = sampled(planes[which], FINE, tuple(view.tolist()))
        assert np.allclose(seen[row].reshape(FINE, FINE)[within], alone[within], atol=0.05)
        assert not seen[row].reshape(FINE, FINE)[~within].any()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("moved", [(0.93, 0.95, 0.02, -0.03), (1.06, 1.0, 0.0, 0.04)])
def test_a_part_is_found_in_the_whole(
    moved: tuple[float, float, float, float], exact: bool
) -> None:
    known = sampled(plane(), FINE, moved)[None]
    planes, which, start = Planes([plane()]), np.array([0]), maps((1, 1, 0, 0))
    found = laid_upon(known, planes, which, start, steps=12, exact=exact)
    assert found.dtype == np.float32
    assert np.allclose(found[0], moved, atol=0.02)
    assert agreement(known, planes, which, found)[0] > 0.95
    assert agreement(known, planes, which, start)[0] < agreement(known, planes, which, found)[0]


def test_what_hardly_overlaps_agrees_in_nothing() -> None:
    known = sampled(plane(), FINE)[None]
    planes, which = Planes([plane()]), np.array([0])
    assert agreement(known, planes, which, maps((1, 1, 1.5, 1.5))).tolist() == [0.0]
    flat = Planes([np.zeros((SIDE, SIDE), np.float32)])
    still = maps((1, 1, 0, 0))
    assert agreement(known, flat, which, still).tolist() == [0.0]
    assert np.isfinite(laid_upon(known, flat, which, still, steps=3, exact=True)).all()
