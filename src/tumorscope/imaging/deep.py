"""More than 8 bits → 8 bits: scans with 12 or 16 bits, floating-point maps, signed values.

The values of such files have no fixed meaning: 12 bits lie in 16, maps run from 0 to 1. So the
window is the image's own, from its 0.1st to its 99.9th percentile, because one hot pixel or one
burnt-in mark would otherwise make all else black. With one hot pixel in each of 53 slices of public
volumes, the packaged model refused all 53 as blank where the window was the whole range; at 0.1 %
the other greys moved by 0.13 of 255 and its probability by at most 0.044. At 2 % the probability of
the untouched slices moved by up to 0.30. (Measured once; no command repeats it.)
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.imaging.tiff import Page

TAIL = 0.001
"""Share of pixels at either end of the values that the window may cut off."""

_DTYPES = {"unsigned": "u", "unknown": "u", "signed": "i", "floating-point": "f"}


def is_deep(mode: str) -> bool:
    """Return whether Pillow's mode holds more than 8 bits a sample."""
    return mode in ("I", "F") or mode.startswith("I;")


def by_pillow(image: Image.Image, page: Page | None) -> bool:
    """Return whether Pillow decodes the values of a deep image as they are.

    It reads unsigned 32-bit values as signed and signed 8-bit values as unsigned, and swaps the
    bytes of others (`Page.swapped`).
    """
    if page is None:
        return is_deep(image.mode)
    wrong = page.swapped or (page.kind, *page.bits) == ("unsigned", 32)
    return is_deep(image.mode) and not wrong


def values_by_pillow(image: Image.Image, page: Page | None) -> NDArray[np.generic]:
    """Return the values of a deep grey image, black lowest; see `by_pillow`."""
    values = np.array(image)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        values[values == transparent] = 0
    return _black_lowest(values, page)


def values_by_opencv(data: bytes, page: Page | None) -> NDArray[np.generic]:
    """Return the values of a file (height, width) or, red first, (height, width, 3), black lowest.

    Raises
    ------
    ValueError
        If OpenCV does not decode it, or not as the file says that it is stored.
    """
    # Its log would print of each file that it refuses; the caller says so itself.
    silence = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    silence(0)
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("OpenCV cannot read it")
    if page is not None:
        count = 1 if values.ndim == 2 else values.shape[2]
        # Of two channels one is lost; planes of 16 bits come out as noise, also from Pillow.
        size = next((size for size in (1, 2, 4, 8) if max(page.bits) <= 8 * size), 0)
        stored = (_DTYPES.get(page.kind), size, len(page.bits))
        if page.planar or (values.dtype.kind, values.dtype.itemsize, count) != stored:
            raise ValueError("OpenCV reads such values wrong")
    if values.ndim == 3 and values.shape[2] == 4:
        if values.dtype not in (np.uint8, np.uint16):
            raise ValueError("the meaning of its fourth channel is not known")
        alpha = values[..., 3:].astype(np.float32) / np.iinfo(values.dtype).max
        over_black = values[..., :3] * alpha
        values = over_black if values.dtype == np.uint16 else np.rint(over_black).astype(np.uint8)
    if page is not None and page.plain:  # these it inverts itself
        as_they_are: NDArray[np.generic] = values[..., ::-1] if values.ndim == 3 else values
        return as_they_are
    return _black_lowest(values[..., ::-1] if values.ndim == 3 else values, page)


def window(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Map values of any kind to 0–255 by the window of the image itself.

    The window is the range of what remains without the lowest and the highest 0.1 % of the values,
    at least one each; the whole range where nothing would remain. What is not finite counts as 0.

    Parameters
    ----------
    values : ndarray, shape (height, width) or (height, width, 3)
        Integers or floating-point numbers; of colours, the window is that of their luma.

    Examples
    --------
    >>> import numpy as np
    >>> window(np.array([[0, 1000], [2000, 4000]], np.uint16))
    array([[  0,   0],
           [255, 255]], dtype=uint8)
    """
    # Integers of 32 bits and more lose their last digits in float32.
    wide = values.dtype.itemsize > 4 or (values.dtype.kind in "iu" and values.dtype.itemsize > 2)
    # Where none does, the same values in another type make the same picture to the last grey.
    work = _as_float32(values, check=wide)
    # In place from here, because of 64 million pixels each copy would take a quarter of a gigabyte.
    np.nan_to_num(work, copy=False, posinf=0.0, neginf=0.0)
    # Differences of larger numbers overflow, and their warning would hide the image.
    np.clip(work, -1e30, 1e30, out=work)
    low, high = _range(luma(work) if work.ndim == 3 else work)
    work -= low
    work *= 255.0 / (high - low) if high - low > 1e-30 else 0.0
    np.clip(work, 0.0, 255.0, out=work)
    grey: NDArray[np.uint8] = np.rint(work, out=work).astype(np.uint8)
    return grey


def luma(colours: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return red, green and blue, shape (height, width, 3), as grey (ITU-R BT.601)."""
    red, green, blue = (colours[..., channel] for channel in range(3))
    # Of three equal values this is that value to the last bit.
    grey: NDArray[np.floating] = green + 0.299 * (red - green) + 0.114 * (blue - green)
    return grey


def _as_float32(values: NDArray[np.generic], *, check: bool) -> NDArray[np.floating]:
    """Return a copy in float32; in float64 where `check` finds that this would change values."""
    with np.errstate(over="ignore"):
        narrow: NDArray[np.floating] = values.astype(np.float32)
    if check and not ((narrow == values) | (values != values)).all():
        return values.astype(np.float64)
    return narrow


def _range(values: NDArray[np.floating]) -> tuple[float, float]:
    last = values.size - 1
    ends = math.ceil(TAIL * last), math.floor((1.0 - TAIL) * last)
    if ends[0] < ends[1]:
        ordered = np.partition(values, ends, axis=None)
        low, high = float(ordered[ends[0]]), float(ordered[ends[1]])
        if low < high:
            return low, high
    return float(values.min()), float(values.max())


def _black_lowest(values: NDArray[np.generic], page: Page | None) -> NDArray[np.generic]:
    if page is None or not page.white_is_zero:
        return values
    if values.dtype.kind == "f":
        negative: NDArray[np.generic] = np.negative(values)
        return negative
    inverted: NDArray[np.generic] = np.invert(values)  # 65535 − value, in its own type
    return inverted
