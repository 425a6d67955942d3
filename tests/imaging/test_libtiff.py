"""Damaged TIFFs are told by errors, not by lines of a library that name no file."""

from __future__ import annotations

import io
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


def test_where_pillow_does_not_tell_its_library_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(_imaging, "__file__")
    assert not silence_libtiff.__wrapped__()
