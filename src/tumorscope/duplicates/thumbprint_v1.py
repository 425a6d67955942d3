"""The first kind of thumbprint: 256 numbers of the whole image, head framed or not.

No new ones are made. Model files that hold them are still asked: copies that were re-encoded,
resized, mirrored or turned by quarters are found, and those put on a border where they had none;
cropped ones are not.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import TURNS, averaged, in_blocks, local_contrast, turned, units
from tumorscope.imaging.borders import trimmed
from tumorscope.imaging.preprocess import Preprocessing, prepare
from tumorscope.imaging.slice import Slice

VERSION = 1

EDGE = 16
_BLOCK = 64

COPY = 0.95
"""Two images with at least this cosine are taken for copies of one picture.

Of some 500 public images, copies at 60 % of the size re-encoded as JPEG came to 0.98 and above,
and no two distinct pictures above 0.94.
"""


def thumbprint(scan: Slice) -> NDArray[np.int8]:
    """Return the thumbprint of a slice.

    The whole image is stretched to 48 × 48, each value becomes its difference from its
    surroundings divided by their standard deviation, and that is averaged down to 16 × 16.

    Parameters
    ----------
    scan : Slice
        A decoded image of any size.

    Returns
    -------
    ndarray of int8, shape (256,)
        All zero for an image without structure, which resembles nothing.
    """
    small = prepare(_shrunk(scan), Preprocessing(size=3 * EDGE))
    detail = local_contrast(small.astype(np.float32), 1.0, 5.0, floor=3.0)
    flat = cv2.resize(detail, (EDGE, EDGE), interpolation=cv2.INTER_AREA).ravel()
    flat -= flat.mean()
    length = float(np.linalg.norm(flat))
    if length < 0.5:
        return np.zeros(EDGE * EDGE, dtype=np.int8)
    # The largest of 256 values of a unit vector is seldom above 0.4; 300 uses the 8 bits well.
    print_: NDArray[np.int8] = np.rint(np.clip(flat * (300.0 / length), -127, 127)).astype(np.int8)
    return print_


def _shrunk(scan: Slice) -> Slice:
    factor = min(scan.pixels.shape) // (6 * EDGE)
    return scan if factor < 2 else Slice(averaged(scan.pixels, factor), scan.source)


class WholeImages:
    """Known thumbprints of the first kind, ready to be searched; threads may share it.

    Parameters
    ----------
    prints : ndarray of int8, shape (n, 256)
        From `thumbprint`.
    """

    def __init__(self, prints: NDArray[np.int8]) -> None:
        self._count = len(prints)
        self._known = in_blocks(units(prints.astype(np.float32), least=1.0), _BLOCK)

    def is_copy(self, scan: Slice) -> bool:
        """Whether a slice, as it is or without its border, shows a known picture."""
        return self.resemblance(scan) >= COPY

    def resemblance(self, scan: Slice) -> float:
        """Return the largest cosine, −1 to 1, in any of eight orientations."""
        if not self._count:
            return -1.0
        prints = [thumbprint(scan)]
        inner = trimmed(scan.pixels)
        if inner.shape != scan.pixels.shape:
            prints.append(thumbprint(Slice(pixels=inner, source=scan.source)))
        squares = np.stack(prints).reshape(-1, EDGE, EDGE).astype(np.float32)
        views = np.concatenate([turned(squares, turn) for turn in TURNS])
        likeness = np.matmul(units(views.reshape(-1, EDGE * EDGE), least=1.0), self._known)
        return float(likeness.max(axis=1).ravel()[: self._count].max())
