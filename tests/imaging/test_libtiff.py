"""Damaged TIFFs are told by errors, not by lines of a library that name no file."""

from __future__ import annotations

import io
import logging
import sys

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, _imaging

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging.libtiff import silence_libtiff
from tumorscope.imaging.read import open_bytes


def _damaged(compression: str) -> bytes:
    stream = io.BytesIO()
    grey = Image.fromarray((np.arange(48 * 40) % 251).astype(np.uint8).reshape(48, 40))
    grey.save(stream, "TIFF", compression=compression)
    data = bytearray(stream.getvalue())
    with Image.open(io.BytesIO(data)) as opened:
        assert isinstance(opened, TiffImagePlugin.TiffImageFile)
        (begin, *_), (length, *_) = (opened.tag_v2[tag] for tag in (273, 279))
    data[begin + length // 2 : begin + length] = b"\xff" * (length - length // 2)
    return bytes(data)


@pytest.mark.skipif(sys.platform == "win32", reason="Pillow has libtiff built in")
@pytest.mark.parametrize("compression", ["tiff_deflate", "tiff_lzw"])
def test_a_damaged_tiff_writes_nothing_past_the_error(
    compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnreadableImageError, match="expected a whole image file"):
        open_bytes(_damaged(compression), source="scan.tif")
    assert capfd.readouterr().err == ""
    assert silence_libtiff()


def test_what_pillow_logs_of_a_tiff_is_not_written_where_nobody_listens(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(stream, "TIFF")
    samples = b"\x15\x01\x03\x00\x01\x00\x00\x00"  # SamplesPerPixel, one short
    assert stream.getvalue().count(samples + b"\x03\x00") == 1
    damaged = stream.getvalue().replace(samples + b"\x03\x00", samples + b"\x00\x1e")
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own would listen
    with pytest.raises(UnreadableImageError):
        open_bytes(damaged, source="scan.tif")
    assert capfd.readouterr().err == ""


def test_where_pillow_does_not_tell_its_library_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(_imaging, "__file__")
    assert not silence_libtiff.__wrapped__()
