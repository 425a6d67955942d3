"""Volumes count in the budget: what they take, what is refused of them, and nothing afterwards."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("pydicom", reason="needs the dicom extra")

from pydicom.uid import RLELossless
from tests.fixtures.dicom_files import enhanced, save, write_nifti, write_series

from tumorscope.common.memory import IMAGES
from tumorscope.scans import NotRead, Series, Volume, index_study, read_volumes, views
from tumorscope.scans import read as reading
from tumorscope.scans.pixels import PixelReader

AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])
SHAPE = (64, 192, 192)
BYTES = 2 * 64 * 192 * 192
LITTLE = 2_000_000
"""What does not grow with a volume: histograms, headers, one picture."""


@pytest.fixture(
    scope="module", params=["classic", "rescaled", "inverse", "enhanced-rle", "nifti", "nrrd"]
)
def series(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Series:
    """A series of 64 slices of 192 × 192 as each of the readers reads it."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    voxels = np.random.default_rng(0).integers(0, 3000, SHAPE).astype(np.uint16)
    if kind == "nifti":
        write_nifti(folder / "a.nii.gz", voxels.astype(np.int16), AFFINE)
    elif kind == "nrrd":
        header = "NRRD0004\ntype: ushort\ndimension: 3\nsizes: 192 192 64\nendian: little\n"
        header += "encoding: raw\nspace: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n\n"
        (folder / "a.nrrd").write_bytes(header.encode() + voxels.astype("<u2").tobytes())
    elif kind == "enhanced-rle":
        places = [(0.0, 0.0, float(index)) for index in range(len(voxels))]
        save(enhanced(voxels, places), folder / "a.dcm", syntax=RLELossless)
    else:
        rescale = {"RescaleSlope": "0.5", "RescaleIntercept": "1"} if kind == "rescaled" else {}
        grey = {"PhotometricInterpretation": "MONOCHROME1"} if kind == "inverse" else {}
        write_series(folder, voxels, AFFINE, **rescale, **grey)
    [found] = index_study(folder).series
    return found


@pytest.mark.parametrize("every", [None, 3.0])
def test_what_is_counted_is_what_is_taken(series: Series, every: float | None) -> None:
    list(read_volumes(series))  # what is imported and cached does not count
    counted, peak = 0, 0
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for found in read_volumes(series, every=every):
            assert isinstance(found, Volume)
            for _ in views(found, every=every):
                pass
            counted, peak = IMAGES.volumes, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak - LITTLE < counted < 4 * BYTES
    assert IMAGES.volumes == 0


def test_a_volume_of_more_than_the_budget_is_told_before_it_is_decoded(
    series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IMAGES, "limit", BYTES // 4)
    monkeypatch.setattr(PixelReader, "values", None)
    [found] = read_volumes(series)
    assert isinstance(found, NotRead)
    assert found.reason == "too-large"
    assert "images may take 1 MiB; --image-memory allows more" in found.sentence()
    assert IMAGES.volumes == 0


def test_a_volume_for_which_memory_runs_out_is_told(
    series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scarce(*_: object, **__: object) -> Iterator[object]:
        raise MemoryError

    monkeypatch.setattr(reading, "_decoded", scarce)
    monkeypatch.setattr("tumorscope.scans.nifti.next_volume", scarce)
    monkeypatch.setattr("tumorscope.scans.nrrd.next_volume", scarce)
    [found] = read_volumes(series)
    assert isinstance(found, NotRead)
    assert (found.reason, found.detail) == ("too-large", "the memory does not suffice")
    assert IMAGES.volumes == 0


def test_what_is_left_in_the_middle_no_longer_counts(series: Series) -> None:
    found = read_volumes(series)
    next(found)
    assert IMAGES.volumes > 0
    found.close()  # type: ignore[attr-defined]
    assert IMAGES.volumes == 0
