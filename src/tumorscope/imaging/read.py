"""Raster files → `Slice`, with every way a file can be bad turned into one clear error.

Pillow decodes, because it says when a file is truncated; OpenCV returns the rows it got, the rest
grey, and prints a warning. What Pillow cuts to 8 bits, or cannot read, OpenCV decodes: colours of
16 bits, floating-point values of 64.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from tumorscope.imaging import deep
from tumorscope.imaging.damage import why
from tumorscope.imaging.grey import (
    SAMPLE,
    colour_of_values,
    coloured_share,
    grey,
    grey_of_values,
    is_grey,
    sample,
    upright,
)
from tumorscope.imaging.opening import (
    MAX_PIXELS,
    ImageInfo,
    Opened,
    check_size,
    open_bytes,
    open_image,
    refuse,
)
from tumorscope.imaging.slice import Slice

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "ImageInfo",
    "coloured_fraction",
    "inspect_image",
    "read_bytes",
    "read_slice",
    "read_with_colour",
    "read_with_info",
]

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
"""File name endings (lower case) that a folder scan takes for images."""

_EXIF_ORIENTATION = 0x0112


def inspect_image(path: str | Path) -> ImageInfo:
    """Read the header of an image file.

    Raises
    ------
    UnreadableImageError
        If the file cannot be opened, is empty, is no image of a known format, or holds several
        pictures.
    """
    return open_image(path).info


def read_slice(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Slice:
    """Read a raster file as one grey `Slice`.

    Colour becomes luma (ITU-R BT.601, as JPEG stores it), transparency is laid over black,
    palettes are looked up, and the EXIF orientation is applied. Values of more than 8 bits, signed
    and floating-point values are stretched to 0–255 by a window of their own, from the 0.1st to
    the 99.9th percentile; see `tumorscope.imaging.deep.window`. "White is zero" becomes black is
    zero.

    One file is one slice: a stack or an animation is refused, because whichever of its pictures
    was read, the others would be passed over without a word. Smaller versions and masks beside the
    picture, and what phones put behind a photograph, do not count.

    Parameters
    ----------
    path : str or Path
        JPEG, PNG, BMP, GIF, TIFF, BigTIFF or WebP; recognised by content, whatever its name.
    max_pixels : int
        Refuse larger images before decoding them.

    Raises
    ------
    UnreadableImageError
        If the file is missing, empty, truncated, too large, of several pictures, stored in a way
        that no library here decodes, or no image; what it is instead is said.
    """
    return read_with_info(path, max_pixels=max_pixels)[0]


def read_with_info(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> tuple[Slice, ImageInfo]:
    """Read a raster file and its header at once; see `read_slice` and `inspect_image`."""
    opened = open_image(path)
    check_size(opened.source, opened.info.width, opened.info.height, max_pixels)
    with _decoding(opened):
        pixels = _grey_of(opened)
    return Slice(pixels=pixels, source=str(path)), opened.info


def read_with_colour(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> tuple[Slice, float]:
    """Read a raster file and how coloured it is, decoding it once.

    Returns
    -------
    Slice
        The very pixels that `read_slice` returns.
    float
        Share of its pixels, 0 to 1, that are really coloured (see `coloured_fraction`), counted
        on some 4,000 of them.

    Raises
    ------
    UnreadableImageError
        If it cannot be read; see `read_slice`.
    """
    return _with_colour(open_image(path), max_pixels)


def read_bytes(data: bytes, *, source: str, max_pixels: int = MAX_PIXELS) -> tuple[Slice, float]:
    """Read the content of an image file, as `read_with_colour` does; `source` names it."""
    return _with_colour(open_bytes(data, source=source), max_pixels)


def coloured_fraction(path: str | Path) -> float:
    """Return the share of an image's pixels that are really coloured: 0 for greys stored as RGB.

    A pixel counts where its channels lie more than 40 of 255 apart, which the chroma of JPEG does
    not reach on grey scans. JPEGs are decoded at a fraction of their size.

    Raises
    ------
    UnreadableImageError
        If it cannot be read; see `read_slice`.
    """
    opened = open_image(path)
    check_size(opened.source, opened.info.width, opened.info.height, MAX_PIXELS)
    with _decoding(opened):
        if opened.deep or opened.image is None:
            return colour_of_values(_windowed(opened), 512)
        if is_grey(opened.image.mode):
            return 0.0
        opened.image.draft("RGB", (256, 256))
        return coloured_share(sample(opened.image, 512))


def _with_colour(opened: Opened, max_pixels: int) -> tuple[Slice, float]:
    check_size(opened.source, opened.info.width, opened.info.height, max_pixels)
    with _decoding(opened):
        pixels, coloured = _grey_and_colour(opened)
    return Slice(pixels=pixels, source=opened.source), coloured


def _grey_of(opened: Opened) -> NDArray[np.uint8]:
    image = opened.image
    if opened.deep or image is None:
        return grey_of_values(_windowed(opened))
    # Lets libjpeg hand over its luma plane directly instead of converting it twice.
    if image.mode == "RGB":
        image.draft("L", None)
    ImageOps.exif_transpose(image, in_place=True)
    return grey(image)


def _grey_and_colour(opened: Opened) -> tuple[NDArray[np.uint8], float]:
    image = opened.image
    if opened.deep or image is None:
        windowed = _windowed(opened)
        return grey_of_values(windowed), colour_of_values(windowed, SAMPLE)
    # A JPEG hands over luma and chroma as they are stored; its luma is the grey of
    # `read_slice`. Adobe's transform 0 stores red, green and blue instead.
    if image.mode == "RGB" and image.info.get("adobe_transform") != 0:
        image.draft("YCbCr", None)
    image.load()
    coloured = 0.0 if is_grey(image.mode) else coloured_share(sample(image, SAMPLE))
    ImageOps.exif_transpose(image, in_place=True)
    luma = image.mode == "YCbCr" and image.format in ("JPEG", "MPO")
    return np.array(image.getchannel(0)) if luma else grey(image), coloured


def _windowed(opened: Opened) -> NDArray[np.uint8]:
    """Decode values of more than 8 bits, as (height, width) or (height, width, 3), upright."""
    image, page = opened.image, opened.page
    orientation = 1
    if image is not None and deep.by_pillow(image, page):
        ImageOps.exif_transpose(image, in_place=True)
        return deep.window(deep.values_by_pillow(image, page))
    if image is not None:
        if page is None:  # OpenCV would return what it got of a truncated PNG
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
            image.load()
        image.close()
    if page is not None and page.index:
        raise ValueError("OpenCV reads the first page only")
    values = deep.values_by_opencv(opened.data, page)
    pixels = deep.window(values) if opened.deep else values.astype(np.uint8)
    return upright(pixels, orientation)


@contextlib.contextmanager
def _decoding(opened: Opened) -> Iterator[None]:
    try:
        yield
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # decoders raise whatever they like on damaged files
        received, advice = why(opened.info.format, opened.data, str(error), page=opened.page)
        refuse(opened.source, received, "a whole image file", advice)
