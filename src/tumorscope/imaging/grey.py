"""Any picture that Pillow or numpy holds → grey, and how coloured it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.imaging import deep

SAMPLE = 64
"""Edge of the sample in which colours are counted when a picture is read anyway."""

STRIP = 2**20
"""Pixels that are converted at a time."""


def is_grey(mode: str) -> bool:
    """Return whether Pillow's mode has no colour."""
    return mode in ("1", "L", "LA", "I", "F") or mode.startswith("I;")


def sample(image: Image.Image, edge: int) -> Image.Image:
    """Return at most edge × edge of its pixels."""
    # Nearest, because an average of colours could be grey.
    width, height = min(image.width, edge), min(image.height, edge)
    return image.resize((width, height), Image.Resampling.NEAREST)


def coloured_share(image: Image.Image) -> float:
    """Return the share of pixels whose channels lie more than 40 of 255 apart."""
    if image.mode not in ("RGB", "YCbCr", "CMYK"):
        image = image.convert("RGBA")
    # One channel after the other: numpy is ten times slower along an axis of three.
    channels = np.array(image.convert("RGB")).reshape(-1, 3).T.copy()
    return float((channels.max(axis=0) - channels.min(axis=0) > 40).mean())


def grey(image: Image.Image) -> NDArray[np.uint8]:
    """Return any picture as grey, uint8 (height, width); see `tumorscope.imaging.read_slice`."""
    if deep.is_deep(image.mode):
        return deep.window(deep.values_by_pillow(image, None))
    return _in_strips(image, _grey)


def luma(image: Image.Image) -> NDArray[np.uint8]:
    """Return the first channel of a picture, uint8 (height, width)."""
    return _in_strips(image, lambda part: part.getchannel(0))


def _in_strips(image: Image.Image, work: Callable[[Image.Image], Image.Image]) -> NDArray[np.uint8]:
    """Do `work`, which looks at one pixel at a time, on as many rows as take little memory."""
    image.load()
    rows = max(1, STRIP // image.width)
    if rows >= image.height:
        # A copy, because Pillow's buffer is read-only and dies with the image.
        return np.array(work(image), dtype=np.uint8)
    pixels = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = np.asarray(work(image.crop((0, top, image.width, bottom))))
    return pixels


def _grey(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.mode in ("P", "1", "L", "RGB") and "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        rgba = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        backdrop = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        image = Image.alpha_composite(backdrop, rgba).convert("RGB")
    return image if image.mode == "L" else image.convert("L")  # which would copy it


def grey_of_values(windowed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey of what `tumorscope.imaging.deep.window` made, of greys or colours."""
    if windowed.ndim == 2:
        return windowed
    luma: NDArray[np.uint8] = np.rint(deep.luma(windowed.astype(np.float32))).astype(np.uint8)
    return luma


def colour_of_values(windowed: NDArray[np.uint8], edge: int) -> float:
    """Return the share of it that is coloured, counted on at most edge × edge pixels."""
    if windowed.ndim == 2:
        return 0.0
    return coloured_share(sample(Image.fromarray(windowed), edge))


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn and mirror as EXIF says; Pillow does it itself for what it decodes.

    Examples
    --------
    >>> import numpy as np
    >>> upright(np.array([[1, 2]], np.uint8), 6)  # as a camera writes it that was held upright
    array([[1],
           [2]], dtype=uint8)
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
