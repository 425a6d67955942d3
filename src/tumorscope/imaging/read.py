"""Raster files → `Slice`, with every way a file can be bad turned into one clear error.

Pillow decodes, because it says when a file is truncated; OpenCV returns the rows it got, the rest
grey, and prints a warning. What Pillow cuts to 8 bits, or cannot read, OpenCV decodes: colours of
16 bits, floating-point values of 64.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.common.memory import IMAGES, TooLargeError
from tumorscope.imaging import deep
from tumorscope.imaging.bounds import TooMuchError
from tumorscope.imaging.cost import bytes_needed
from tumorscope.imaging.damage import why
from tumorscope.imaging.grey import (
    SAMPLE,
    colour_of_values,
    coloured_share,
    grey,
    grey_of_values,
    is_grey,
    luma,
    sample,
    upright,
)
from tumorscope.imaging.jpeg import feeder
from tumorscope.imaging.opening import (
    MAX_PIXELS,
    Encoded,
    ImageInfo,
    header_of,
    read_header,
)
from tumorscope.imaging.orientation import orientation_of
from tumorscope.imaging.refusals import check_size, refuse, refuse_memory, refuse_too_much
from tumorscope.imaging.slice import Slice

__all__ = [
    "MAX_PIXELS",
    "ImageInfo",
    "Opened",
    "inspect_image",
    "open_bytes",
    "open_image",
    "read_slice",
]


@dataclass(frozen=True, slots=True)
class Opened:
    """An image file, read and decoded once: all that anybody asks of it.

    Attributes
    ----------
    slice : Slice
        The very pixels that `read_slice` returns.
    info : ImageInfo
        What its header says.
    coloured : float
        Share of its pixels, 0 to 1, that are really coloured: 0 for greys stored as RGB. A pixel
        counts where its channels lie more than 40 of 255 apart, which the chroma of JPEG does not
        reach on grey scans.
    sha256 : str
        Of the file's bytes, 64 hexadecimal digits.
    size : int
        Of the file, in bytes.
    damaged : bool
        Whether a JPEG's data ended before its picture did, or went on after it. Not every damage
        shows so, and in progressive files none does.
    """

    slice: Slice
    info: ImageInfo
    coloured: float
    sha256: str
    size: int
    damaged: bool = False


def inspect_image(path: str | Path) -> ImageInfo:
    """Read the header of an image file.

    Raises
    ------
    UnreadableImageError
        If the file cannot be opened, is empty, is not an image of a known format, or holds several
        pictures.
    """
    return read_header(path).info


def read_slice(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Slice:
    """Read a raster file as one grey `Slice`.

    Colour becomes luma (ITU-R BT.601, as JPEG stores it), transparency is laid over black,
    palettes are looked up, and the EXIF orientation is applied. Values of more than 8 bits, signed
    and floating-point values are stretched to 0–255 by a window of their own, from the 0.1st to
    the 99.9th percentile; see `tumorscope.imaging.deep.window`. "White is zero" becomes black is
    zero.

    One file is one slice: a stack or an animation is refused, because whichever of its pictures
    was read, the others would silently be passed over. Smaller versions and masks beside the
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
        that no library here decodes, or not an image; the message says what it is instead.

    Examples
    --------
    >>> from PIL import Image
    >>> Image.new("RGB", (6, 4), (255, 0, 0)).save("red.png")
    >>> scan = read_slice("red.png")
    >>> scan.pixels.shape, int(scan.pixels[0, 0]), scan.source
    ((4, 6), 76, 'red.png')
    """
    with IMAGES.one_image():
        encoded = read_header(path)
        with _decoding(encoded, max_pixels):
            return Slice(pixels=_grey_of(encoded), source=encoded.source)


def open_image(
    path: str | Path, *, max_pixels: int = MAX_PIXELS, sample_edge: int = SAMPLE
) -> Opened:
    """Read an image file once: its pixels, its header, its colours and its hash.

    Parameters
    ----------
    path : str or Path
        See `read_slice`.
    max_pixels : int
        Refuse larger images before decoding them.
    sample_edge : int
        Colours are counted on at most so many pixels along each side.

    Raises
    ------
    UnreadableImageError
        If it cannot be read; see `read_slice`.
    """
    with IMAGES.one_image():
        return _opened(read_header(path), max_pixels, sample_edge)


def open_bytes(data: bytes, *, source: str, max_pixels: int = MAX_PIXELS) -> Opened:
    """Read the content of an image file, as `open_image` does; `source` names it."""
    with IMAGES.one_image():
        return _opened(header_of(data, source=source), max_pixels, SAMPLE)


def _opened(encoded: Encoded, max_pixels: int, sample_edge: int) -> Opened:
    with _decoding(encoded, max_pixels):
        pixels, coloured, damaged = _grey_and_colour(encoded, sample_edge)
    scan = Slice(pixels=pixels, source=encoded.source)
    return Opened(scan, encoded.info, coloured, encoded.sha256, len(encoded.data), damaged)


def _grey_of(encoded: Encoded) -> NDArray[np.uint8]:
    image = encoded.image
    if encoded.deep or image is None:
        return grey_of_values(_windowed(encoded))
    # Lets libjpeg hand over its luma plane directly instead of converting it twice.
    if image.mode == "RGB":
        image.draft("L", None)
    return upright(grey(image), orientation_of(image))


def _grey_and_colour(encoded: Encoded, edge: int) -> tuple[NDArray[np.uint8], float, bool]:
    """Return the pixels, the share of them that is coloured, and whether the data are damaged."""
    image = encoded.image
    if encoded.deep or image is None:
        windowed = _windowed(encoded)
        return grey_of_values(windowed), colour_of_values(windowed, edge), False
    damaged = _load(encoded, image)
    coloured = 0.0 if is_grey(image.mode) else coloured_share(sample(image, edge))
    is_luma = image.mode == "YCbCr" and image.format in ("JPEG", "MPO")
    pixels = luma(image) if is_luma else grey(image)
    return upright(pixels, orientation_of(image)), coloured, damaged


def _load(encoded: Encoded, image: Image.Image) -> bool:
    """Decode a picture of 8 bits, and return whether a JPEG's data are damaged."""
    layout = encoded.layout
    if layout is None:
        image.load()
        return False
    # A JPEG hands over luma and chroma as they are stored; its luma is the grey of
    # `read_slice`. Adobe's transform 0, or names, tell that it stores red, green and blue instead.
    if image.mode == "RGB" and not layout.rgb and image.info.get("adobe_transform") != 0:
        image.draft("YCbCr", None)
    fed = feeder(encoded.data, layout)
    if fed is None:
        image.load()
        return False
    feed, is_damaged = fed
    image.load_read = feed  # type: ignore[attr-defined]
    image.load()
    return is_damaged()


def _windowed(encoded: Encoded) -> NDArray[np.uint8]:
    """Decode values of more than 8 bits, as (height, width) or (height, width, 3), upright."""
    image, page = encoded.image, encoded.page
    orientation = 1
    if image is not None and deep.by_pillow(image, page):
        image.load()
        pixels = deep.window(deep.values_by_pillow(image, page))
        return upright(pixels, orientation_of(image))
    if image is not None:
        if page is None or page.swapped:  # OpenCV would return what it got of a truncated file
            image.load()
        if page is None:
            orientation = orientation_of(image)
        image.close()
    if page is not None and page.index:
        raise ValueError("OpenCV reads the first page only")
    values = deep.values_by_opencv(encoded.data, page)
    pixels = deep.window(values) if encoded.deep else values.astype(np.uint8)
    return upright(pixels, orientation)


@contextlib.contextmanager
def _decoding(encoded: Encoded, max_pixels: int) -> Iterator[None]:
    info = encoded.info
    check_size(encoded.source, info.width, info.height, max_pixels)
    try:
        IMAGES.need(bytes_needed(encoded))
        yield
    except TooLargeError as error:
        refuse(
            encoded.source,
            f"its {info.width} × {info.height} pixels ({info.mode}) need {error}",
            "a smaller one",
            "Shrink it, or allow more with --image-memory.",
            final=False,
        )
    except TooMuchError as error:
        refuse_too_much(encoded.source, error)
    except MemoryError:
        refuse_memory(encoded.source)
    except Exception as error:  # decoders raise whatever they like on damaged files
        received, advice = why(info.format, encoded.data, str(error), page=encoded.page)
        refuse(encoded.source, received, "a whole image file", advice)
