"""Pictures that come as near to brain MRI as drawing gets, to learn what is none from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.synthetic.acquisition import acquire
from tumorscope.synthetic.bodies import BODIES
from tumorscope.synthetic.fields import Pixels
from tumorscope.synthetic.not_brain import KINDS as PLAIN
from tumorscope.synthetic.pieces import PIECES, Slices


def draw_impostors(
    slices: Slices, how: Preprocessing, *, count: int, seed: int = 0
) -> NDArray[np.uint8]:
    """Draw what is no brain MRI, half of it as other scanners would show it.

    Brain slices taken apart (`tumorscope.synthetic.pieces`), other parts of the body
    (`tumorscope.synthetic.bodies`) and plain patterns (`tumorscope.synthetic.not_brain`) in turn.

    Parameters
    ----------
    slices : ndarray of uint8, shape (n, size, size)
        Prepared brain MRI that the pictures are made of.
    how : Preprocessing
        How the pictures are prepared.
    count : int
        How many.
    seed : int
        The same seed and slices give the same pictures.

    Returns
    -------
    ndarray of uint8, shape (count, how.size, how.size)

    Examples
    --------
    >>> brains = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    >>> draw_impostors(brains, Preprocessing(size=32), count=30).shape
    (30, 32, 32)
    """
    generator = np.random.default_rng(seed)
    drawn = np.empty((count, how.size, how.size), np.uint8)
    for index in range(count):
        picture = _draw(index, slices, generator)
        if generator.random() < 0.5:
            picture = acquire(picture, generator)
        drawn[index] = prepare(Slice(pixels=picture, source=""), how)
    return drawn


def _draw(index: int, slices: Slices, generator: np.random.Generator) -> Pixels:
    drawn = (*PIECES, *BODIES)
    turn = index % (len(drawn) + 2)
    if turn < len(drawn):
        return drawn[turn](slices, generator)
    return PLAIN[int(generator.integers(len(PLAIN)))](generator)
