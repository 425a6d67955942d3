"""Which values are black and which white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from tests.fixtures.dicom_files import image, save, write_nifti

from tumorscope.common.errors import UsageError
from tumorscope.imaging import deep
from tumorscope.scans import Volume, Window, index_study, read_nifti, read_volumes, views
from tumorscope.scans.window import greys, percentiles


@pytest.mark.parametrize("text", ["percentile", "dicom", "-20,180", "0.5,1"])
def test_windows_are_read_as_they_are_written(text: str) -> None:
    assert str(Window.parse(text)) == text


@pytest.mark.parametrize("text", ["", "auto", "1", "2,1", "1,1", "1,2,3", "nan,1", "0,inf", "a,b"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected “percentile”, “dicom” or two numbers"):
        Window.parse(text)


@given(
    kind=st.sampled_from(["uint8", "int8", "int16", "uint16", "int32", "float32"]),
    size=st.integers(1, 4000),
    seed=st.integers(0, 5),
)
def test_percentiles_are_those_of_single_files_and_order_does_not_matter(
    kind: str, size: int, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(60, 20, (1, 1, size)).astype(kind)
    low, high = percentiles(values)
    assert (low, high) == percentiles(np.random.default_rng(0).permutation(values, axis=2))
    assert np.abs(greys(values, (low, high))[0].astype(int) - deep.window(values[0])).max() <= 1


def test_a_hot_voxel_does_not_make_all_else_black(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1000, (4, 20, 20)).astype(np.int16)
    values[0, 0, 0] = 32000
    [volume] = read_nifti(write_nifti(tmp_path / "a.nii", values, np.eye(4)))
    assert np.mean([each.slice.pixels.mean() for each in views(volume)]) > 100


def test_the_window_of_the_header_is_that_of_each_slice(tmp_path: Path) -> None:
    values = np.arange(100, dtype=np.int16).reshape(10, 10)
    for number, window in ((1, ("20", "21")), (2, ("60", "41")), (3, (None, None))):
        elements = dict(zip(("WindowCenter", "WindowWidth"), window, strict=True))
        save(
            image(values, number=number, position=(0, 0, number), **elements),
            tmp_path / f"{number}",
        )
    [volume] = read_volumes(index_study(tmp_path).series[0])
    assert isinstance(volume, Volume)
    first, second, third = views(volume, window=Window("dicom"))
    assert first.window == ("dicom", 9.5, 29.5)
    assert second.window == ("dicom", 39.5, 79.5)
    assert third.window == ("percentile", 0.0, 99.0)
    assert first.slice.pixels.ravel()[[9, 30]].tolist() == [0, 255]
    [one, *_] = views(volume, window=Window("range", 10.0, 20.0))
    assert one.slice.pixels.ravel()[[10, 20]].tolist() == [0, 255]
    [across, *_] = views(volume, "coronal", window=Window("dicom"))
    assert across.window == ("percentile", 9.5, 79.5)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("interpretation", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("slope", ["1", "0.5"])
def test_padding_is_black_and_does_not_count(
    tmp_path: Path, syntax: UID, interpretation: str, slope: str
) -> None:
    values = np.random.default_rng(0).integers(100, 1100, (20, 20)).astype(np.int16)
    values[:, :5] = -2000
    dataset = image(values, PhotometricInterpretation=interpretation, RescaleSlope=slope)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    [series] = index_study(save(dataset, tmp_path / "a", syntax=syntax)).series
    [volume] = read_volumes(series)
    assert isinstance(volume, Volume)
    [shown] = views(volume)
    assert not shown.slice.pixels[:, :5].any()
    assert 110 < shown.slice.pixels[:, 5:].mean() < 145
    assert (shown.window.high - shown.window.low) / float(slope) < 1000


def test_a_range_of_padding(tmp_path: Path) -> None:
    values = np.arange(100, dtype=np.uint16).reshape(10, 10)
    dataset = image(values, PixelPaddingValue=0, PixelPaddingRangeLimit=9)
    [volume] = read_volumes(index_study(save(dataset, tmp_path / "a")).series[0])
    assert isinstance(volume, Volume)
    assert volume.padding == (0.0, 9.0)
    assert next(views(volume)).window == ("percentile", 11.0, 98.0)


def test_a_volume_of_one_value_is_black(tmp_path: Path) -> None:
    for kind in (np.int16, np.float32):
        values = np.full((2, 4, 4), 7, kind)
        [volume] = read_nifti(write_nifti(tmp_path / "a.nii", values, np.eye(4)))
        assert not any(each.slice.pixels.any() for each in views(volume))
