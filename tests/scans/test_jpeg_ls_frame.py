"""JPEG-LS frames: the values of pydicom, and damage told at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jpeg_ls", reason="needs the dicom extra")

from jpeg_ls import encode_array
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame

from tumorscope.scans.jpeg_ls_frame import decode_jpeg_ls


@pytest.mark.parametrize("name", ["MR_small_jpeg_ls_lossless", "JPEGLSNearLossless_08"])
def test_values_are_those_of_pydicom(name: str) -> None:
    dataset = dcmread(Path(str(get_testdata_file(f"{name}.dcm"))))
    values = decode_jpeg_ls(get_frame(dataset.PixelData, 0, number_of_frames=1))
    size = dataset.BitsAllocated // 8
    bits = dataset.pixel_array.astype(f"u{size}", copy=False).ravel()
    assert np.array_equal(values, bits)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_values_of_both_sizes_survive(dtype: type[np.unsignedinteger]) -> None:
    values = np.add.outer(np.arange(60), np.arange(70)).astype(dtype)
    values[0, 0] = np.iinfo(dtype).max
    assert np.array_equal(decode_jpeg_ls(bytes(encode_array(values))), values.ravel())


def test_data_that_end_before_their_end_are_told() -> None:
    values = np.random.default_rng(0).integers(0, 60_000, (64, 64)).astype(np.uint16)
    data = bytes(encode_array(values))
    for end in range(40, len(data) - 2, 97):
        with pytest.raises(RuntimeError, match=r"[Ii]nvalid"):
            decode_jpeg_ls(data[:end])
