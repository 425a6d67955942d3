"""gdcm is asked in a process of its own, and when that ends only one file is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.dicom_files import image, save
from tests.scans.test_pixels import by_gdcm, drawn

from tumorscope.scans import gdcm_process
from tumorscope.scans.gdcm_process import GdcmError, GdcmProcess


@pytest.fixture
def gdcm() -> Iterator[GdcmProcess]:
    process = GdcmProcess()
    yield process
    process.close()


@pytest.fixture
def lossless(tmp_path: Path) -> Path:
    plain = save(image(drawn(16, 12, False), stored=12), tmp_path / "plain" / "a.dcm")
    return by_gdcm(plain, tmp_path / "a.dcm", "JPEGLosslessProcess14_1")


def test_files_are_decoded_one_after_the_other(gdcm: GdcmProcess, lossless: Path) -> None:
    for _ in range(3):
        values = np.frombuffer(gdcm.decode(str(lossless)), np.uint16)
        assert np.array_equal(values, drawn(16, 12, False).ravel())


def test_what_is_no_image_is_refused_and_the_next_decoded(
    gdcm: GdcmProcess, lossless: Path, tmp_path: Path
) -> None:
    for name in ("none.dcm", "\udcff.dcm"):
        with pytest.raises(GdcmError, match="does not decode"):
            gdcm.decode(str(tmp_path / name))
    assert gdcm.decode(str(lossless))


@pytest.mark.parametrize("ends", ["import os; os.abort()", "import time; time.sleep(60)"])
def test_a_process_that_ends_or_hangs_costs_one_file(
    gdcm: GdcmProcess,
    lossless: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
) -> None:
    program = tmp_path / "ends.py"
    program.write_text(ends)
    monkeypatch.setattr(gdcm_process, "PATIENCE", 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(gdcm_process, "__file__", str(program))
        with pytest.raises(GdcmError, match="ended or took too long"):
            gdcm.decode(str(lossless))
    monkeypatch.setattr(gdcm_process, "PATIENCE", 60.0)
    assert gdcm.decode(str(lossless))
