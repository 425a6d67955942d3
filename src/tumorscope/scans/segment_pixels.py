"""The frames of a segmentation: single bits, shares of a largest value, or labels."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans import facts
from tumorscope.scans.dicom_file import Opened, open_whole
from tumorscope.scans.file_checks import DEFLATED, MAX_WHOLE
from tumorscope.scans.frame import UNKNOWN, Frame, Layout, Marks
from tumorscope.scans.functional_groups import MAX_FRAMES
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.pixels import BIG_ENDIAN, NATIVE, PixelReader, is_native
from tumorscope.scans.values import items, number, whole

HALF = 0.5
"""So much of the largest value of a fractional segmentation counts as inside."""


class SegmentPixels:
    """Reads the frames of a segmentation, one after the other.

    Parameters
    ----------
    path : str
        The file.
    opened : Opened
        Its header.

    Raises
    ------
    NotReadError
        If the header contradicts itself, or promises more than the file holds.
    """

    def __init__(self, path: str, opened: Opened) -> None:
        dataset = opened.dataset
        self._path, self._opened = path, opened
        self._size = facts.size_of(dataset)
        count = whole(dataset, "NumberOfFrames") or 1
        groups = len(items(dataset, "PerFrameFunctionalGroupsSequence"))
        if groups != count:
            raise NotReadError("damaged", f"{count} frames, and functional groups of {groups}")
        self._bits = whole(dataset, "BitsAllocated") or 0
        if count > MAX_FRAMES or self._pixels * count * self._bits > 8 * MAX_WHOLE:
            rows, columns = self._size
            raise NotReadError("too-large", f"{count:,} frames of {rows} × {columns}")
        promised = -(-self._pixels * count * self._bits // 8)
        if opened.offset is not None and promised > opened.length:
            lacking = f"{opened.length:,} bytes of pixels where {count} frames need {promised:,}"
            raise NotReadError("damaged", lacking)
        largest = number(dataset, "MaximumFractionalValue")
        self._least = None if largest is None else HALF * largest
        self._reader = PixelReader()
        self._whole: bytes | None = None

    @property
    def _pixels(self) -> int:
        return self._size[0] * self._size[1]

    def inside(self, index: int, labels: Collection[int] | None) -> NDArray[np.bool_]:
        """Return which pixels of a frame are inside, shape (rows, columns).

        Parameters
        ----------
        index : int
            Of the frame, from 0.
        labels : collection of int, optional
            What counts as inside where the values are labels; None where they are not.
        """
        if self._bits == 1:
            return self._packed(index)
        values = self._reader.values(self._frame(index))
        if labels is not None:
            return np.isin(values, list(labels))
        if self._least is None:
            raise NotReadError("damaged", "it does not say which value is the largest share")
        return np.asarray(values.astype(np.float64) >= max(self._least, 1e-6))

    def _packed(self, index: int) -> NDArray[np.bool_]:
        """Frames follow each other without a gap, so that most begin within a byte."""
        first, last = index * self._pixels, (index + 1) * self._pixels
        begin, end = first // 8, -(-last // 8)
        data = self._bytes(begin, end)
        if len(data) < end - begin:
            raise NotReadError("damaged", f"{len(data):,} of {end - begin:,} bytes of a frame")
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[first - 8 * begin :][: self._pixels].reshape(self._size).astype(np.bool_)

    def _bytes(self, begin: int, end: int) -> bytes:
        opened = self._opened
        if opened.offset is not None and opened.syntax in NATIVE - {BIG_ENDIAN}:
            with Path(self._path).open("rb") as file:
                file.seek(opened.offset + begin)
                return file.read(end - begin)
        if opened.syntax != DEFLATED:
            raise NotReadError("transfer-syntax", f"single bits in {opened.syntax}")
        if self._whole is None:
            self._whole = bytes(open_whole(self._path).PixelData)
        return self._whole[begin:end]

    def _frame(self, index: int) -> Frame:
        rows, columns = self._size
        stored = facts.stored_of(self._opened.dataset, self._opened.syntax)
        along = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
        layout = Layout(rows, columns, (1.0, 1.0), *along, False, stored, (), UNKNOWN, 0.0)
        offset = self._opened.offset
        if offset is not None:
            step = self._pixels * stored.allocated // 8
            offset = offset + index * step if is_native(stored) else None
        return Frame(self._path, "", index + 1, layout, None, None, Marks(), offset=offset)
