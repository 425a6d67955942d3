"""A data set as the bytes of its file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom", reason="needs the dicom extra")
from pydicom import dcmread
from tests.fixtures.dicom_files import image, save

from tumorscope.serving.encoded import encoded


def test_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.uint16).reshape(3, 4)
    data = encoded(dcmread(save(image(values), tmp_path / "a.dcm")))
    assert bytes(data[128:132]) == b"DICM"
    assert np.array_equal(dcmread(io.BytesIO(data)).pixel_array, values)
