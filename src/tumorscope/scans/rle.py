"""RLE frames of DICOM: planes of bytes, the highest first, each packed by runs (PS3.5, annex G).

The runs are unpacked by pylibjpeg-rle plane by plane. Its function for whole frames, which pydicom
calls, panics on some damaged ones, which prints a page and is no `Exception`, so that a batch
would end with it (pylibjpeg-rle 2.2.0).
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.not_read import NotReadError

HEAD = 64


def decode_rle(data: bytes, values: int, size: int) -> NDArray[np.generic]:
    """Return the values of a frame as unsigned integers in native byte order, shape (values,).

    Parameters
    ----------
    data : bytes
        The frame.
    values : int
        How many it has.
    size : int
        Bytes of each.

    Raises
    ------
    NotReadError
        If the frame is damaged, or holds others.
    """
    from rle.rle import decode_segment

    if len(data) < HEAD:
        raise NotReadError("damaged", f"{len(data)} bytes of an RLE frame")
    count, *places = struct.unpack("<16L", data[:HEAD])
    if count != size:
        raise NotReadError("damaged", f"{count} planes where values have {size} bytes")
    ends = [*places[1:count], len(data)]
    planes = np.empty((values, size), dtype=np.uint8)
    for index, (begin, end) in enumerate(zip(places[:count], ends, strict=True)):
        if not HEAD <= begin < end <= len(data):
            raise NotReadError("damaged", "a plane of the RLE frame lies outside of it")
        try:
            plane = decode_segment(data[begin:end])
        except ValueError as error:
            raise NotReadError("damaged", str(error)) from None
        if len(plane) < values:
            raise NotReadError("damaged", f"{len(plane)} of {values} values in a plane")
        planes[:, index] = np.frombuffer(plane, np.uint8, values)
    whole: NDArray[np.generic] = planes.view(f">u{size}").ravel()
    return whole.astype(f"=u{size}")
