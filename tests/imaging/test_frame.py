"""The box of the head is found alike in copies of another contrast."""

from __future__ import annotations

import numpy as np

from tumorscope.imaging.borders import trimmed
from tumorscope.imaging.frame import even_head_box
from tumorscope.synthetic.phantom_slice import phantom_slice


def test_the_head_is_framed_alike_on_a_border_and_darker() -> None:
    pixels = trimmed(phantom_slice(tumour=False, seed=2).pixels)
    top, bottom, left, right = even_head_box(pixels)
    dark = np.rint(255.0 * (pixels / 255.0) ** 1.6).astype(np.uint8)
    assert np.abs(np.array(even_head_box(dark)) - (top, bottom, left, right)).max() <= 4
    assert even_head_box(np.zeros((40, 50), np.uint8)) == (0, 40, 0, 50)
