"""Bytes on disk → `Slice` → network input. The only code that reads pixels."""

from tumorscope.imaging.inputs import Image
from tumorscope.imaging.preprocess import SHORTCUT_FREE, Preprocessing, prepare
from tumorscope.imaging.read import MAX_PIXELS, ImageInfo, inspect_image, read_slice
from tumorscope.imaging.slice import Slice

__all__ = [
    "MAX_PIXELS",
    "SHORTCUT_FREE",
    "Image",
    "ImageInfo",
    "Preprocessing",
    "Slice",
    "inspect_image",
    "prepare",
    "read_slice",
]
