"""Which way up a picture is stored."""

from __future__ import annotations

import binascii

from PIL import Image

from tumorscope.imaging.tiff import check_directories

_ORIENTATION = 0x0112
_RAW = "Raw profile type exif"


def orientation_of(image: Image.Image) -> int:
    """Return the code of EXIF's tag 0x0112, of a picture that Pillow has decoded; 1 is upright.

    Raises
    ------
    TooMuchError
        If its Exif data hold so much that Pillow would take minutes or fill the memory.
    """
    exif = image.info.get("exif")
    if exif is None and _RAW in image.info:  # as ImageMagick stores it in PNG files
        exif = binascii.unhexlify("".join(image.info[_RAW].split("\n")[3:]))
    if isinstance(exif, bytes):
        check_directories(exif.removeprefix(b"Exif\0\0"))
    found = image.getexif().get(_ORIENTATION, 1)
    return found if isinstance(found, int) else 1
