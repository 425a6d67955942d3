"""The first kind of thumbprint: 256 numbers of the whole image, head framed or not.

No new ones are made. Model files that hold them are still asked: copies that were re-encoded,
resized, mirrored or turned by quarters are found, and those put on a border where they had none;
cropped ones are not.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.frame import trimmed
from tumorscope.imaging.preprocess import Preprocessing, prepare
from tumorscope.imaging.slice import Slice

VERSION = 1

EDGE = 16

COPY = 0.95
"""Cosine from which two images are taken for copies of one picture.

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
    smooth = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1.0)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), 5.0)
    # 3 grey levels keep the noise of an empty background from being blown up to full contrast.
    detail /= np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 5.0)) + 3.0
    flat = cv2.resize(detail, (EDGE, EDGE), interpolation=cv2.INTER_AREA).ravel()
    flat -= flat.mean()
    length = float(np.linalg.norm(flat))
    if length < 0.5:
        return np.zeros(EDGE * EDGE, dtype=np.int8)
    # The largest of 256 values of a unit vector is seldom above 0.4; 300 uses the 8 bits well.
    print_: NDArray[np.int8] = np.rint(np.clip(flat * (300.0 / length), -127, 127)).astype(np.int8)
    return print_


def _shrunk(scan: Slice) -> Slice:
    # Averaging whole numbers of pixels first takes a quarter of the time. What is cut off at the
    # end is less than a hundredth of the image.
    factor = min(scan.pixels.shape) // (6 * EDGE)
    if factor < 2:
        return scan
    height, width = (side // factor for side in scan.pixels.shape)
    whole = scan.pixels[: height * factor, : width * factor]
    pixels = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return Slice(pixels=pixels, source=scan.source)


def units(thumbprints: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return thumbprints int8 (n, 256) as unit vectors float32 (n, 256); zeros stay zero."""
    values = thumbprints.astype(np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = values / np.maximum(lengths, 1.0)
    return scaled


class WholeImages:
    """Known thumbprints of the first kind, ready to be searched; threads may share it.

    Parameters
    ----------
    prints : ndarray of int8, shape (n, 256)
        From `thumbprint`.
    """

    def __init__(self, prints: NDArray[np.int8]) -> None:
        self._count = len(prints)
        missing = -len(prints) % _BLOCK
        padded = np.concatenate([units(prints), np.zeros((missing, EDGE * EDGE), np.float32)])
        blocks = padded.reshape(-1, _BLOCK, EDGE * EDGE).transpose(0, 2, 1)
        self._known = np.ascontiguousarray(blocks)

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
        squares = np.stack(prints).reshape(-1, EDGE, EDGE)
        turned = [np.rot90(squares, quarters, axes=(1, 2)) for quarters in range(4)]
        views = np.concatenate([*turned, *(each[:, :, ::-1] for each in turned)])
        likeness = np.matmul(units(views.reshape(-1, EDGE * EDGE)), self._known)
        return float(likeness.max(axis=1).ravel()[: self._count].max())


_BLOCK = 64  # so few that a linear algebra library starts no threads for them
