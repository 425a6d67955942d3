"""Raster files → `Slice`, with every way a file can be bad turned into one clear error.

Pillow decodes, because it says when a file is truncated; OpenCV returns the rows it got, the rest
grey, and prints a warning.
"""

from __future__ import annotations

import contextlib
import io
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging.slice import Slice

MAX_PIXELS = 64_000_000
"""Largest width × height that is decoded; a 30,000 × 30,000 PNG of a few kB would need 0.9 GB."""

MAX_BYTES = 512 * 1024 * 1024

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
"""File name endings (lower case) that a folder scan takes for images."""

_SUFFIXES_OF_FORMAT = {
    "BMP": {".bmp"},
    "GIF": {".gif"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "PNG": {".png"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
}

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header of an image file says, read without decoding its pixels.

    Attributes
    ----------
    format : str
        Format by content, not by name: JPEG, PNG, GIF, BMP, TIFF or WEBP.
    width, height : int
        Size in pixels.
    mode : str
        Pillow's mode: L, RGB, RGBA, P, CMYK, I;16 …
    disguised : bool
        True where the file name's ending belongs to another format.
    """

    format: str
    width: int
    height: int
    mode: str
    disguised: bool


def inspect_image(path: str | Path) -> ImageInfo:
    """Read the header of an image file.

    Raises
    ------
    UnreadableImageError
        If the file cannot be opened, is empty, or is no image of a known format.
    """
    path = Path(path)
    image = _open(path, _bytes_of(path))
    return _info(path, image)


def read_slice(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Slice:
    """Read a raster file as one grey `Slice`.

    Colour becomes luma (ITU-R BT.601, as JPEG stores it), transparency is laid over black,
    palettes are looked up, 16-bit and floating-point values are stretched from their own minimum
    and maximum to 0–255, and the EXIF orientation is applied. Of an animation or a multi-page
    file the first image is read.

    Parameters
    ----------
    path : str or Path
        JPEG, PNG, BMP, GIF, TIFF or WebP; recognised by content, whatever its name.
    max_pixels : int
        Refuse larger images before decoding them.

    Raises
    ------
    UnreadableImageError
        If the file is missing, empty, truncated, too large, or no image.
    """
    return read_with_info(path, max_pixels=max_pixels)[0]


def read_with_info(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> tuple[Slice, ImageInfo]:
    """Read a raster file and its header at once; see `read_slice` and `inspect_image`."""
    path = Path(path)
    image = _open(path, _bytes_of(path))
    info = _info(path, image)
    _check_size(path, info, max_pixels)
    with _decoding(path, info.format):
        # Lets libjpeg hand over its luma plane directly instead of converting it twice.
        if info.mode == "RGB":
            image.draft("L", None)
        ImageOps.exif_transpose(image, in_place=True)
        pixels = _grey(image)
    return Slice(pixels=pixels, source=str(path)), info


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
    path = Path(path)
    image = _open(path, _bytes_of(path))
    info = _info(path, image)
    _check_size(path, info, max_pixels)
    with _decoding(path, info.format):
        # A JPEG hands over luma and chroma as they are stored; its luma is the grey of
        # `read_slice`. Adobe's transform 0 stores red, green and blue instead.
        if info.mode == "RGB" and image.info.get("adobe_transform") != 0:
            image.draft("YCbCr", None)
        image.load()
        coloured = 0.0 if _is_grey(image.mode) else _coloured(_sample(image, 64))
        ImageOps.exif_transpose(image, in_place=True)
        luma = image.mode == "YCbCr"
        pixels = np.array(image.getchannel(0)) if luma else _grey(image)
    return Slice(pixels=pixels, source=str(path)), coloured


@contextlib.contextmanager
def _decoding(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # decoders raise whatever they like on damaged files
        _refuse(
            path,
            f"its {name} data cannot be decoded ({error})",
            "a whole image file",
            "It is probably truncated or damaged: copy it again from where it came from.",
        )


def _check_size(path: Path, info: ImageInfo, max_pixels: int) -> None:
    if info.width * info.height > max_pixels:
        _refuse(
            path,
            f"it is {info.width} × {info.height} pixels",
            f"at most {max_pixels:,} pixels in all",
            "Shrink it, or check that it is a scan at all.",
        )


def coloured_fraction(path: str | Path) -> float:
    """Return the share of an image's pixels that are really coloured: 0 for greys stored as RGB.

    A pixel counts where its channels lie more than 40 of 255 apart, which the chroma of JPEG does
    not reach on grey scans. JPEGs are decoded at a fraction of their size.

    Raises
    ------
    UnreadableImageError
        If it cannot be read; see `read_slice`.
    """
    path = Path(path)
    image = _open(path, _bytes_of(path))
    info = _info(path, image)
    _check_size(path, info, MAX_PIXELS)
    if _is_grey(image.mode):
        return 0.0
    with _decoding(path, info.format):
        image.draft("RGB", (256, 256))
        return _coloured(_sample(image, 512))


def _is_grey(mode: str) -> bool:
    return mode in ("1", "L", "LA", "I", "F") or mode.startswith("I;")


def _sample(image: Image.Image, edge: int) -> Image.Image:
    # Nearest, because an average of colours could be grey.
    width, height = min(image.width, edge), min(image.height, edge)
    return image.resize((width, height), Image.Resampling.NEAREST)


def _coloured(image: Image.Image) -> float:
    if image.mode not in ("RGB", "YCbCr", "CMYK"):
        image = image.convert("RGBA")
    # One channel after the other: numpy is ten times slower along an axis of three.
    channels = np.array(image.convert("RGB")).reshape(-1, 3).T.copy()
    return float((channels.max(axis=0) - channels.min(axis=0) > 40).mean())


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        # In place, because of 64 million pixels each copy would take a quarter of a gigabyte.
        values = np.array(image, dtype=np.float32)
        np.nan_to_num(values, copy=False, posinf=0.0, neginf=0.0)
        # Differences of larger numbers overflow, and their warning would hide the image.
        np.clip(values, -1e30, 1e30, out=values)
        low, high = float(values.min()), float(values.max())
        values -= np.float32(low)
        values *= np.float32(255.0 / (high - low) if high - low > 1e-30 else 0.0)
        stretched: NDArray[np.uint8] = np.rint(values, out=values).astype(np.uint8)
        return stretched
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in ("RGBA", "LA", "PA"):
        rgba = image.convert("RGBA")
        backdrop = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        image = Image.alpha_composite(backdrop, rgba).convert("RGB")
    # A copy, because Pillow's buffer is read-only and dies with the image.
    return np.array(image.convert("L"), dtype=np.uint8)


def _info(path: Path, image: Image.Image) -> ImageInfo:
    width, height = image.size
    # What phones call MPO is a JPEG with a preview or depth map behind it.
    name = "JPEG" if image.format == "MPO" else image.format or "?"
    disguised = path.suffix.lower() not in _SUFFIXES_OF_FORMAT.get(name, set())
    return ImageInfo(name, width, height, image.mode, disguised)


def _bytes_of(path: Path) -> bytes:
    try:
        state = path.stat()
        # Reading a pipe would wait, and a device would not end.
        if not stat.S_ISREG(state.st_mode):
            raise OSError("it is not a regular file")
        size = state.st_size
        if size > MAX_BYTES:
            _refuse(
                path, f"it has {size:,} bytes", f"at most {MAX_BYTES:,} bytes", "Is it an image?"
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        _refuse(
            path,
            f"it cannot be opened ({getattr(error, 'strerror', None) or error})",
            "a file that can be read",
            "Check that it exists and that you may read it.",
        )
    if not data:
        _refuse(path, "it is empty", "an image file", "Copy it again from where it came from.")
    return data


def _open(path: Path, data: bytes) -> Image.Image:
    name = next((form for magic, form in _SIGNATURES if data.startswith(magic)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        name = "WEBP"
    if name is None:
        _refuse(
            path,
            f"its first bytes are {data[:8]!r}",
            "a JPEG, PNG, BMP, GIF, TIFF or WebP file",
            "Convert it, or take it out of the folder.",
        )
    Image.init()
    factory = Image.OPEN[name][0]
    try:
        # Not Image.open: it warns of large images through the process-wide warning filter, which
        # threads share; the size is checked by the caller instead.
        return factory(io.BytesIO(data), str(path))
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # header parsers raise SyntaxError, struct.error, IndexError …
        _refuse(
            path,
            f"its {name} header cannot be parsed ({error})",
            "a whole image file",
            "It is probably truncated: copy it again from where it came from.",
        )


def _refuse(path: Path, received: str, expected: str, advice: str) -> NoReturn:
    raise UnreadableImageError(f"Cannot read {path}: {received}; expected {expected}. {advice}")
