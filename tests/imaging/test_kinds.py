"""What is no image we read is called by its name, with what to do about it."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging import inspect_image, read_slice

NIFTI = struct.pack("<L", 348) + bytes(340) + b"n+1\0" + bytes(200)


def _npy() -> bytes:
    data = io.BytesIO()
    np.save(data, np.zeros((3, 3)))
    return data.getvalue()


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.png", b"")
    return data.getvalue()


def _jpeg_2000() -> bytes:
    return cv2.imencode(".jp2", np.zeros((32, 32), np.uint8))[1].tobytes()


FILES = {
    "a DICOM file": bytes(128) + b"DICM\x02\0\0\0UL\x04\0",
    "a DICOM file; ": b"II*\0\x54\x18\x08\0".ljust(128, b"\0") + b"DICM\x02\0\0\0UL\x04\0",
    "a DICOM file without its preamble": b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100" + bytes(400),
    "a DICOM file without": b"\x08\0\x05\0CS\x0a\0ISO_IR 100" + bytes(400),
    "a NIfTI file": NIFTI,
    "a NIfTI file; ": struct.pack(">L", 348) + NIFTI[4:],
    "a NIfTI file, compressed with gzip": gzip.compress(NIFTI),
    "a NIfTI-2 file": struct.pack("<L", 540) + b"n+2\0\r\n\x1a\n" + bytes(600),
    "an Analyze 7.5 header": struct.pack("<L", 348) + bytes(344),
    "an NRRD volume": b"NRRD0004\ntype: short\n",
    "a MetaImage header": b"ObjectType = Image\n",
    "an MGH volume": struct.pack(">7l", 1, 64, 64, 32, 1, 3, 0) + bytes(400),
    "an MGH volume .* compressed with gzip": gzip.compress(
        struct.pack(">7l", 1, 64, 64, 32, 1, 3, 0) + bytes(400)
    ),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "a netCDF file": b"CDF\x01" + bytes(100),
    "a MATLAB file": b"MATLAB 5.0 MAT-file, Platform: GLNXA64",
    "a NumPy array": _npy(),
    "a ZIP archive": _zip(),
    "a HEIC image": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "an AVIF image": b"\0\0\0\x20ftypavif\0\0\0\0avifmif1",
    "a video": b"\0\0\0\x20ftypisom\0\0\x02\0",
    "a JPEG 2000 image": _jpeg_2000(),
    "a JPEG XL image": b"\xff\x0a\xb8\x03",
    "a PDF document": b"%PDF-1.7\n",
    "an SVG drawing": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "an SVG drawing; ": b"<svg width='10'/>",
    "a web page": b"\n<!DOCTYPE html>\n<html><head><title>404</title>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    "a Netpbm image": b"P5\n3 3\n65535\n" + bytes(18),
    "filled with zeros": bytes(5000),
    "a tar archive": b"a.png".ljust(257, b"\0") + b"ustar\x0000" + bytes(300),
    "what macOS stores beside a file": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_called_by_its_name_whatever_its_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / "scan.png").write_bytes(FILES[name])
    for read in (read_slice, inspect_image):
        with pytest.raises(UnreadableImageError, match=f"it is {name}") as caught:
            read(tmp_path / "scan.png")
        assert "first bytes" not in str(caught.value)
        assert str(caught.value).endswith((".", ")"))


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08\0", b"\x1f\x8b", b"\x1f\x8b\x08" * 40])
def test_fragments_are_refused_too(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "scan.png").write_bytes(data)
    with pytest.raises(UnreadableImageError):
        read_slice(tmp_path / "scan.png")


def jpeg(*, process: int = 0xC0, bits: int = 8) -> bytes:
    """A baseline JPEG whose frame header says that it is another kind."""
    data = io.BytesIO()
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (64, 1))).save(data, "JPEG")
    code = bytearray(data.getvalue())
    place = code.index(b"\xff\xc0")
    code[place + 1], code[place + 4] = process, bits
    return bytes(code)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg(process=0xC1, bits=12), "a JPEG with 12 bits a sample"),
        (jpeg(process=0xC3, bits=12), "a lossless JPEG with 12 bits a sample"),
        (jpeg(process=0xC3, bits=16), "a lossless JPEG with 16 bits a sample"),
        (jpeg(process=0xC5), "a hierarchical JPEG"),
        (jpeg(process=0xF7), "a JPEG-LS image"),
    ],
)
def test_a_jpeg_that_no_library_here_decodes_is_not_called_truncated(
    tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "scan.jpg").write_bytes(data)
    with pytest.raises(UnreadableImageError, match=words) as caught:
        read_slice(tmp_path / "scan.jpg")
    assert "truncated" not in str(caught.value)
    assert "Convert it to PNG" in str(caught.value)


def test_a_whole_but_damaged_png_is_not_called_truncated(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)).save(
        data, "PNG"
    )
    code = bytearray(data.getvalue())
    code[200:240] = bytes(40)
    (tmp_path / "scan.png").write_bytes(bytes(code))
    with pytest.raises(UnreadableImageError, match="damaged") as caught:
        read_slice(tmp_path / "scan.png")
    assert "truncated" not in str(caught.value)
