"""A training picture on its way through changes: what it shows, and where its lesion is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tumorscope.synthetic.fields import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What a training picture shows.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (size, size)
        Grey values of a prepared slice.
    tumour : bool
        Whether it shows one, or a drawn lesion.
    lesion : ndarray of uint8, shape (size, size), or None
        How much of each pixel is lesion, 255 all of it; None where there is none, nobody knows, or
        nobody asked.

    Examples
    --------
    >>> import numpy as np
    >>> corner = np.array([[9, 0], [0, 0]], np.uint8)
    >>> turned = Picture(corner, lesion=corner).moved(np.flipud)
    >>> turned.pixels.tolist(), turned.lesion.tolist()
    ([[0, 0], [9, 0]], [[0, 0], [9, 0]])
    """

    pixels: Pixels
    tumour: bool = False
    lesion: Pixels | None = None

    def moved(self, move: Callable[[Pixels], Pixels]) -> Picture:
        """Return the picture after `move`, which moves the lesion as well."""
        lesion = None if self.lesion is None else move(self.lesion)
        return replace(self, pixels=move(self.pixels), lesion=lesion)

    def showing(self, pixels: Pixels) -> Picture:
        """Return the picture with other greys, nothing of which has moved."""
        return replace(self, pixels=pixels)
