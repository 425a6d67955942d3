"""Stored bytes → the values of one image, in native byte order, with no bits that do not count."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.opening import MAX_PIXELS
from tumorscope.scans.codestream import size_of_codestream
from tumorscope.scans.dicom_file import open_whole, short, silent
from tumorscope.scans.file_checks import DEFLATED, MAX_WHOLE
from tumorscope.scans.frame import Frame, Layout, Stored
from tumorscope.scans.gdcm_process import GDCM, GdcmError
from tumorscope.scans.jpeg_frame import SYNTAXES, decode_jpeg
from tumorscope.scans.jpeg_ls_frame import decode_jpeg_ls
from tumorscope.scans.not_read import NotReadError, NotReadReason
from tumorscope.scans.rle import decode_rle
from tumorscope.scans.values import whole

if TYPE_CHECKING:
    from pydicom import Dataset

NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})
"""Transfer syntaxes whose values lie in the file as they are."""

RLE = "1.2.840.10008.1.2.5"
JPEG_LS = frozenset({"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"})
BIG_ENDIAN = "1.2.840.10008.1.2.2"

_JPEG = "1.2.840.10008.1.2.4."

PLUGINS: Mapping[str, str] = {
    **dict.fromkeys((f"{_JPEG}50", f"{_JPEG}51"), "pillow"),
    **dict.fromkeys((f"{_JPEG}80", f"{_JPEG}81"), "pyjpegls"),
    **dict.fromkeys((f"{_JPEG}90", f"{_JPEG}91"), "pylibjpeg"),
    **dict.fromkeys((f"{_JPEG}201", f"{_JPEG}202", f"{_JPEG}203"), "pylibjpeg"),
    DEFLATED: "",
    BIG_ENDIAN: "",
    "1.2.840.10008.1.2": "",
    "1.2.840.10008.1.2.1": "",
}
"""Transfer syntax → pydicom's plugin. Left to itself pydicom takes gdcm, which may end the process.

What is not here (lossless JPEG, and the kinds that were retired) is asked of gdcm all the same, in
a process of its own; of the first two, 12 bits as well.
"""


BY_GDCM = frozenset(f"{_JPEG}{number}" for number in (50, 51, 52, 53, 55, 57, 70))
"""What gdcm is known to decode: it did not where such a file is damaged."""


def is_native(stored: Stored) -> bool:
    """Return whether values can be taken from the file as they lie there."""
    # Values of 8 bits are swapped in pairs in big endian; pydicom knows how.
    return stored.syntax in NATIVE and (stored.allocated > 8 or stored.syntax != BIG_ENDIAN)


class PixelReader:
    """Reads the values of images, one after the other; the file read last stays open to it."""

    def __init__(self) -> None:
        self._path = ""
        self._dataset: Dataset | None = None
        self._by_gdcm: NDArray[np.generic] | None = None

    def values(self, frame: Frame) -> NDArray[np.generic]:
        """Return the values of an image, shape (rows, columns), after its rescale.

        Integers as stored where there is none, else float32; float64 of 32 bits.

        Raises
        ------
        NotReadError
            If they cannot be decoded, or are not those that the header promises.
        """
        layout = frame.layout
        if layout.rows * layout.columns > MAX_PIXELS:
            raise NotReadError("too-large", f"{layout.rows} × {layout.columns} pixels")
        try:
            with silent():
                stored = self._native(frame) if frame.offset is not None else self._decoded(frame)
                return self._rescaled(frame, stored)
        except (NotReadError, MemoryError, KeyboardInterrupt):
            raise
        except OSError as error:
            raise NotReadError("cannot-open", error.strerror or str(error)) from None
        except Exception as error:  # decoders raise what they like on damaged files
            raise NotReadError("damaged", short(error)) from None

    def _rescaled(self, frame: Frame, stored: NDArray[np.generic]) -> NDArray[np.generic]:
        if frame.table:
            from pydicom.pixels import apply_modality_lut

            mapped = apply_modality_lut(stored, self._opened(frame.path))
            return np.asarray(mapped, dtype=np.float32)
        if (frame.slope, frame.intercept) == (1.0, 0.0):
            return stored
        kind = np.float64 if stored.dtype.itemsize > 2 else np.float32
        with np.errstate(over="ignore", invalid="ignore"):
            exact = stored.astype(np.float64) * frame.slope + frame.intercept
            rescaled: NDArray[np.floating] = exact.astype(kind)
        if not np.isfinite(rescaled).all():
            raise NotReadError("damaged", f"a rescale by {frame.slope:g} makes no numbers")
        return rescaled

    def _native(self, frame: Frame) -> NDArray[np.generic]:
        layout = frame.layout
        order = ">" if layout.stored.syntax == BIG_ENDIAN else "<"
        promised = layout.rows * layout.columns * layout.stored.allocated // 8
        with Path(frame.path).open("rb") as file:
            file.seek(frame.offset or 0)
            data = file.read(promised)
        if len(data) < promised:
            raise NotReadError("damaged", f"{len(data):,} of {promised:,} bytes of pixels")
        raw = np.frombuffer(data, dtype=f"{order}u{layout.stored.allocated // 8}")
        return counting_bits(raw.reshape(layout.rows, layout.columns), layout.stored)

    def _decoded(self, frame: Frame) -> NDArray[np.generic]:
        layout = frame.layout
        index = 0 if frame.number is None else frame.number - 1
        data = self._encapsulated(frame, index)
        _check_codestream(data, layout)
        if layout.stored.syntax == RLE:
            values = decode_rle(data, layout.rows * layout.columns, layout.stored.allocated // 8)
            decoded = values.reshape(layout.rows, layout.columns)
        elif layout.stored.syntax in JPEG_LS and data:
            decoded = decode_jpeg_ls(data).reshape(layout.rows, layout.columns)
        elif PLUGINS.get(layout.stored.syntax) is None or _is_deep_jpeg(layout.stored):
            decoded = self._frame_by_gdcm(frame, index)
        else:
            by_pillow = decode_jpeg(data) if _is_plain_jpeg(layout.stored) else None
            decoded = self._frame_by_pydicom(frame, index) if by_pillow is None else by_pillow
        if decoded.shape != (layout.rows, layout.columns):
            raise NotReadError(
                "damaged", f"decoded {decoded.shape}, promised {(layout.rows, layout.columns)}"
            )
        native = decoded.astype(decoded.dtype.newbyteorder("="), copy=False)
        return counting_bits(native, layout.stored)

    def _frame_by_pydicom(self, frame: Frame, index: int) -> NDArray[np.generic]:
        from pydicom.pixels import pixel_array

        dataset = self._opened(frame.path)
        stored = frame.layout.stored
        if stored.high != stored.stored - 1:
            # pydicom keeps the lowest bits, whatever the highest is said to be.
            dataset.BitsStored, dataset.HighBit = stored.allocated, stored.allocated - 1
        # A classic file states no number of frames, or one; of both it is the first.
        plugin = PLUGINS[stored.syntax]
        return np.asarray(pixel_array(dataset, index=index, decoding_plugin=plugin))

    def _frame_by_gdcm(self, frame: Frame, index: int) -> NDArray[np.generic]:
        if self._by_gdcm is None or self._path != frame.path:
            count = whole(self._opened(frame.path), "NumberOfFrames") or 1
            self._by_gdcm = _all_by_gdcm(frame, count)
        if index >= len(self._by_gdcm):
            raise NotReadError("damaged", f"{len(self._by_gdcm)} frames were decoded")
        frames = self._by_gdcm
        return np.asarray(frames[index])

    def _opened(self, path: str) -> Dataset:
        if self._dataset is None or self._path != path:
            self._path, self._dataset, self._by_gdcm = path, None, None
            self._dataset = open_whole(path)
        return self._dataset

    def _encapsulated(self, frame: Frame, index: int) -> bytes:
        """Return the compressed bytes of an image; none where the file is not so or damaged."""
        from pydicom.encaps import get_frame

        if frame.layout.stored.syntax in NATIVE or frame.layout.stored.syntax == DEFLATED:
            return b""
        dataset = self._opened(frame.path)
        try:
            count = whole(dataset, "NumberOfFrames") or 1
            return bytes(get_frame(dataset.PixelData, index, number_of_frames=count))
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception:  # pydicom says itself what is wrong, in the decoding
            return b""


def _check_codestream(data: bytes, layout: Layout) -> None:
    """Refuse pixels whose own header is larger than the file's: decoders believe the former."""
    size = size_of_codestream(data)
    promised = (layout.rows, layout.columns, 1)
    if size is not None and size != promised:
        own, other = (" × ".join(map(str, each)) for each in (size, promised))
        raise NotReadError(
            "damaged", f"its pixels are {own} values where the header promises {other}"
        )


def counting_bits(values: NDArray[np.generic], stored: Stored) -> NDArray[np.generic]:
    """Return the bits that count, as signed or unsigned integers of the bits allocated.

    What lies above or below them may be overlays or anything; nobody but this function knows.

    Examples
    --------
    >>> import numpy as np
    >>> counting_bits(np.array([0xF00F, 0x0FFF], np.uint16), Stored("", 16, 12, 11, True))
    array([15, -1], dtype=int16)
    """
    shift, spare = stored.high + 1 - stored.stored, stored.allocated - stored.stored
    size = stored.allocated // 8
    if values.dtype.itemsize > size or values.dtype.kind not in "iu":
        raise NotReadError(
            "damaged", f"decoded as {values.dtype}, promised {stored.allocated} bits"
        )
    # A decoder has put values of fewer bits into smaller types already, with their sign.
    widened = values.astype(f"{values.dtype.kind}{size}", copy=False)
    bits = widened.astype(f"u{size}", copy=False)
    if spare:
        # To the top, and back down: the way back copies the sign.
        bits = bits << np.array(spare - shift, dtype=bits.dtype)
    counted = bits.view(stored.dtype)
    if spare:
        counted = counted >> np.array(spare, dtype=counted.dtype)
    return counted.copy() if counted.base is not None and not counted.flags.writeable else counted


def _all_by_gdcm(frame: Frame, count: int) -> NDArray[np.generic]:
    """Decode all frames of a file with gdcm itself; shape (frames, rows, columns)."""
    layout = frame.layout
    if layout.rows * layout.columns * count * layout.stored.allocated // 8 > MAX_WHOLE:
        raise NotReadError("too-large", f"{count} frames of {layout.rows} × {layout.columns}")
    try:
        data = GDCM.decode(frame.path)
    except GdcmError as error:
        known = layout.stored.syntax in BY_GDCM
        reason: NotReadReason = "damaged" if known else "transfer-syntax"
        raise NotReadError(reason, str(error) if known else _syntax(frame)) from None
    if not data:
        raise NotReadError("transfer-syntax", _syntax(frame))
    size = layout.stored.allocated // 8
    if len(data) % (layout.rows * layout.columns * size):
        raise NotReadError("damaged", f"gdcm decoded {len(data):,} bytes")
    values: NDArray[np.generic] = np.frombuffer(data, dtype=f"=u{size}")
    return values.reshape(-1, layout.rows, layout.columns)


def _is_deep_jpeg(stored: Stored) -> bool:
    return stored.syntax in SYNTAXES and stored.stored > 8


def _is_plain_jpeg(stored: Stored) -> bool:
    # With more bits allocated than a value has, pydicom says itself what is wrong.
    return stored.syntax in SYNTAXES and stored.allocated == 8


def _syntax(frame: Frame) -> str:
    from pydicom.uid import UID

    with silent():
        syntax = UID(frame.layout.stored.syntax)
        return f"{syntax.name}, {syntax}" if syntax.name != str(syntax) else str(syntax)
