"""What may be given for an image in Python: a path, bytes, an array, a Pillow image or a `Slice`.

The same values of one kind (8 bits, or more than that) in any of these are the same slice.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageFile, ImageOps, TiffImagePlugin

from tumorscope.common.errors import UsageError
from tumorscope.imaging import deep
from tumorscope.imaging.grey import (
    SAMPLE,
    colour_of_values,
    coloured_share,
    grey,
    grey_of_values,
    is_grey,
    sample,
)
from tumorscope.imaging.kinds import format_of
from tumorscope.imaging.opening import MAX_PIXELS
from tumorscope.imaging.read import open_bytes, open_image
from tumorscope.imaging.refusals import check_size, refuse
from tumorscope.imaging.slice import Slice

Image = str | os.PathLike[str] | bytes | NDArray[np.generic] | pillow.Image | Slice
"""What a detector takes.

- a path: see `tumorscope.read_slice`;
- bytes: the content of an image file;
- an array (height, width), (height, width, 1) or (height, width, 3) in the order red, green, blue:
  uint8 as it is, uint16 and floating-point values by a window of their own as in files, see
  `tumorscope.imaging.deep.window`;
- a Pillow image: the picture that it stands at, where it has several; one that was opened from a
  PNG or TIFF file and not decoded yet is decoded as that file is, because Pillow cuts colours of 16
  bits to 8 and shows grey with more than 8 bits, where white is zero, as a negative;
- a `Slice`: taken as it is.
"""

_PHOTOMETRIC = 262

_EXPECTED = (
    "a path, the bytes of an image file, a numpy array of one slice (uint8, uint16 or floating "
    "point; height × width, or height × width × 3 in the order red, green, blue), a Pillow image "
    "or a tumorscope.Slice"
)


def source_of(image: Image) -> str:
    """Return what findings and errors call an image: its path, or what it is."""
    if isinstance(image, Slice):
        return image.source
    if isinstance(image, str | os.PathLike):
        return os.fspath(image)
    if isinstance(image, pillow.Image):
        return str(getattr(image, "filename", "") or "Pillow image")
    return "array" if isinstance(image, np.ndarray) else "bytes"


class Given(NamedTuple):
    """An image as a `Slice`, and what else is known of it."""

    slice: Slice
    coloured: float = 0.0
    """Share of its pixels that are really coloured; see `tumorscope.imaging.read.Opened`."""
    damaged: bool = False
    """Whether its file is damaged; see `tumorscope.imaging.read.Opened`."""


def given(image: Image, *, max_pixels: int = MAX_PIXELS) -> Given:
    """Return an image as a `Slice`, with how coloured it is, and whether its file is damaged.

    Raises
    ------
    UnreadableImageError
        If a file or bytes cannot be read, or values are not finite.
    UsageError
        If it is of another type, dtype or shape.
    """
    if isinstance(image, Slice):
        return Given(image)
    if isinstance(image, str | os.PathLike):
        opened = open_image(os.fspath(image), max_pixels=max_pixels)
        return Given(opened.slice, opened.coloured, opened.damaged)
    if isinstance(image, bytes):
        opened = open_bytes(image, source="bytes", max_pixels=max_pixels)
        return Given(opened.slice, opened.coloured, opened.damaged)
    if isinstance(image, np.ndarray):
        pixels, coloured = _of_array(image, max_pixels)
        return Given(Slice(pixels=pixels, source="array"), coloured)
    if isinstance(image, pillow.Image):
        data = _still_encoded(image)
        if data is not None:
            opened = open_bytes(data, source=source_of(image), max_pixels=max_pixels)
            return Given(opened.slice, opened.coloured, opened.damaged)
        pixels, coloured = _of_picture(image, max_pixels)
        return Given(Slice(pixels=pixels, source=source_of(image)), coloured)
    raise UsageError(
        f"Received {type(image).__qualname__} of {type(image).__module__} for an image; "
        f"expected {_EXPECTED}. Convert it, for example with numpy.asarray; of a file object, give "
        "what its read() returns."
    )


def _of_array(image: NDArray[np.generic], max_pixels: int) -> tuple[NDArray[np.uint8], float]:
    image = np.asarray(image)  # without what subclasses add
    if image.dtype.kind != "f" and not (image.dtype.kind == "u" and image.dtype.itemsize <= 2):
        raise UsageError(
            f"Received an array of {image.dtype} for an image; expected uint8 (0 to 255), uint16 "
            "or floating-point values. Convert it with astype; a mask of True and False is no "
            "image of a scan."
        )
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise UsageError(
            f"Received an array of shape {image.shape} for an image; expected one slice, (height, "
            "width) or (height, width, 3). Give the slices of a stack one by one, or all of them "
            "to detect_many; of red, green, blue and transparency, give a Pillow image."
        )
    height, width = image.shape[:2]
    if not height * width:
        refuse("array", f"its shape is {image.shape}", "at least one pixel", "Check its slicing.")
    check_size("array", width, height, max_pixels)
    if image.dtype == np.uint8:
        return _of_picture(pillow.fromarray(np.ascontiguousarray(image)), max_pixels)
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        refuse(
            "array",
            "some of its values are not finite (NaN or infinite)",
            "numbers",
            "Replace them, for example with numpy.nan_to_num.",
        )
    windowed = deep.window(image)
    return grey_of_values(windowed), colour_of_values(windowed, SAMPLE)


def _of_picture(image: pillow.Image, max_pixels: int) -> tuple[NDArray[np.uint8], float]:
    name, (width, height) = source_of(image), image.size
    if not width * height:
        refuse(name, f"it is {width} × {height} pixels", "at least one", "Check how it was cut.")
    check_size(name, width, height, max_pixels)
    try:
        # A copy, because the picture belongs to the caller, and turning it would be seen there.
        copy = image.copy()
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # it was opened and is decoded only now
        said = " ".join(str(error).split())
        refuse(name, f"it cannot be decoded ({said})", "a whole image", "Open its file again.")
    coloured = 0.0 if is_grey(copy.mode) else coloured_share(sample(copy, SAMPLE))
    ImageOps.exif_transpose(copy, in_place=True)
    if _is_negative(image):
        copy = pillow.fromarray(np.invert(np.asarray(copy).astype(np.uint16)))
    return grey(copy), coloured


def _still_encoded(image: pillow.Image) -> bytes | None:
    """Return the file of one picture that nobody decoded, and so nobody changed; else None."""
    if not isinstance(image, ImageFile.ImageFile) or image.format not in ("PNG", "TIFF"):
        return None
    # What is to be decoded is listed in `tile`, and decoding empties that.
    if not image.tile or image.fp is None or getattr(image, "n_frames", 1) != 1:
        return None
    try:
        place = image.fp.tell()
        image.fp.seek(0)
        data = image.fp.read()
        image.fp.seek(place)
    except (OSError, ValueError):  # a stream that cannot go back, or was closed
        return None
    # Else the picture lies somewhere within another file.
    return data if format_of(data) == image.format else None


def _is_negative(image: pillow.Image) -> bool:
    """Return whether this is a decoded TIFF of deep greys in which white is zero."""
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.mode.startswith("I;16")
        and image.tag_v2.get(_PHOTOMETRIC) == 0
    )
