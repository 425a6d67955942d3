"""`Slice` → 256 numbers by which a model recognises an image that it was trained on.

A thumbprint costs 0.1 ms, so that every prediction can be checked; the audit's
`tumorscope.cohort.fingerprint` costs 30 times that and finds tilted and cropped copies too.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.preprocess import Preprocessing, prepare
from tumorscope.imaging.slice import Slice

VERSION = 1
"""Raised whenever the numbers of a thumbprint change; other versions cannot be compared."""

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


def resemblance(mine: NDArray[np.int8], known: NDArray[np.float32]) -> float:
    """Return the largest cosine (−1 to 1) between a thumbprint or its mirror image and `known`.

    Parameters
    ----------
    mine : ndarray of int8, shape (256,)
        From `thumbprint`.
    known : ndarray of float32, shape (n, 256)
        From `units`.
    """
    if not len(known):
        return -1.0
    mirrored = mine.reshape(EDGE, EDGE)[:, ::-1].ravel()
    return float((known @ units(np.stack([mine, mirrored])).T).max())
