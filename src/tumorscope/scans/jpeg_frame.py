"""JPEG frames of 8 bits, as pydicom decodes them, and refused where their data tell of damage."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.imaging.jpeg import feeder, layout_of
from tumorscope.scans.not_read import NotReadError

SYNTAXES = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})


def decode_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """Return the values of a frame, shape (rows, columns); None where it is no plain JPEG.

    That is one of a single scan, of one value in a pixel and with a mark of its end: only of those
    can be told whether the data end where the picture does.

    Parameters
    ----------
    data : bytes
        The frame, and whatever pads it.

    Raises
    ------
    NotReadError
        If the data end before the picture does, or go on after it.
    OSError
        If it cannot be decoded.
    """
    layout = layout_of(data)
    fed = None if layout is None else feeder(data, layout)
    if fed is None:
        return None
    feed, is_damaged = fed
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    if image.mode != "L":
        return None
    image.load_read = feed  # type: ignore[attr-defined]
    image.load()
    if is_damaged():
        raise NotReadError("damaged", "its JPEG data end before or after its picture")
    return np.array(image)
