"""JPEG-LS frames of DICOM, by the library that pydicom calls, with an end that cannot be missed.

Where damaged data end within a number, CharLS may look on for its end for five seconds before it
says so (pyjpegls 1.5); behind an end marker it says so at once. Whole frames have one, and what
follows it does not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

END = b"\xff\xd9"


def decode_jpeg_ls(data: bytes) -> NDArray[np.generic]:
    """Return the values of a frame as unsigned integers in native byte order, shape (values,).

    Parameters
    ----------
    data : bytes
        The frame.

    Raises
    ------
    RuntimeError
        If the frame is damaged.
    """
    from jpeg_ls import decode_pixel_data

    pixels, header = decode_pixel_data(data + END)
    values: NDArray[np.generic] = np.frombuffer(
        pixels, dtype="u1" if header["bits_per_sample"] <= 8 else "<u2"
    )
    return values.astype(values.dtype.newbyteorder("="), copy=False)
