"""Pictures of other things: of every kind, repeatable, and none blank."""

from __future__ import annotations

import numpy as np

from tumorscope.synthetic.not_brain import KINDS, draw_not_brain


def test_the_same_seed_draws_the_same_pictures() -> None:
    first, again, other = (
        draw_not_brain(each=2),
        draw_not_brain(each=2),
        draw_not_brain(each=2, seed=1),
    )
    assert len(first) == 2 * len(KINDS)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, other, strict=True))


def test_none_is_blank_and_no_two_are_alike() -> None:
    drawn = draw_not_brain(each=10)
    assert all(scan.pixels.std() > 4 for scan in drawn)
    assert len({scan.pixels.tobytes() for scan in drawn}) == len(drawn)
