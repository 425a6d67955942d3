"""The noun that every room speaks of: one 2-D grey image and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Slice:
    """One 2-D grey image.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width)
        Grey values, 0 black to 255 white.
    source : str
        Where it came from: a path (later also DICOM UIDs and a frame number).
    spacing : tuple of float, optional
        Distance between pixel centres (row, column) in mm; None where the file does not say.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Slice(np.zeros((4, 6), np.uint8), source="scan.png", spacing=(0.5, 0.5))
    >>> scan.pixels.shape
    (4, 6)
    """

    pixels: NDArray[np.uint8]
    source: str
    spacing: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8 or self.pixels.size == 0:
            raise ValueError(
                f"Received pixels of shape {self.pixels.shape} and dtype {self.pixels.dtype}; "
                "expected a non-empty uint8 array of shape (height, width)."
            )
