"""Folders as they come: nothing crashes, nothing is left out silently, each has its reason."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset, Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
from tests.fixtures.dicom_files import image, save, write_nifti

from tumorscope.common.errors import InputError
from tumorscope.common.extras import MissingExtraError
from tumorscope.scans import NotRead, Volume, Window, index_study, read_volumes, views
from tumorscope.scans.not_read import REASONS

LARGER = np.random.default_rng(0).integers(0, 4096, (32, 33), dtype=np.uint16)
VALUES = np.random.default_rng(0).integers(0, 4096, (8, 9), dtype=np.uint16)


def only(path: Path) -> NotRead:
    index = index_study(path)
    assert index.series == ()
    [found] = index.not_read
    return found


def test_series_are_found_in_any_nesting_and_in_a_stable_order(tmp_path: Path) -> None:
    for series, number, place in ((2, 1, "b/c"), (1, 1, ""), (2, 2, "a"), (1, 2, "b/c/d/e")):
        dataset = image(VALUES, series=series, number=number, SeriesDescription="Nobody's head")
        save(dataset, tmp_path / place / f"IM{series}{number}")
    write_nifti(tmp_path / "x.nii.gz", VALUES[None], np.eye(4))
    first, second, third = index_study(tmp_path).series
    assert (first.number, first.images, second.number, second.images) == (1, 2, 2, 2)
    assert (third.kind, Path(third.path).name) == ("nifti", "x.nii.gz")
    assert first.description == "Nobody's head"
    assert "Nobody" not in repr(index_study(tmp_path))
    assert index_study(tmp_path) == index_study(tmp_path)


def test_one_file_is_a_study_too(tmp_path: Path) -> None:
    [series] = index_study(save(image(VALUES), tmp_path / "IM1")).series
    [volume] = read_volumes(series)
    assert isinstance(volume, Volume)
    assert np.array_equal(volume.voxels[0], VALUES)
    assert volume.origins[0].sop_instance_uid == image(VALUES).SOPInstanceUID


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing; expected a folder of DICOM"):
        index_study(tmp_path / "none")


def test_the_extra_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tumorscope.common.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="the extra “dicom”"):
        index_study(tmp_path)


@pytest.mark.parametrize(
    ("reason", "elements"),
    [
        ("localizer", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}),
        ("mosaic", {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}),
        ("derived", {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"]}),
        ("derived", {"ImageType": ["DERIVED", "SECONDARY", "SUBTRACT"]}),
        ("derived", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.30"}),
        ("derived", {"VolumeBasedCalculationTechnique": "MAX_IP"}),
        ("secondary-capture", {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}),
        ("phase", {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}),
        ("phase", {"ComplexImageComponent": "PHASE"}),
        ("colour", {"PhotometricInterpretation": "PALETTE COLOR"}),
        ("colour", {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}),
        ("secondary-capture", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}),
        ("secondary-capture", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"}),
        ("segmentation", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4", "Modality": "SEG"}),
        ("modality", {"Modality": "CT"}),
        ("modality", {"Modality": None}),
        ("geometry", {"ImageOrientationPatient": None}),
        ("geometry", {"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]}),
        ("geometry", {"ImageOrientationPatient": ["0"] * 6}),
        ("geometry", {"PixelSpacing": None}),
        ("geometry", {"PixelSpacing": ["0", "1"]}),
        ("damaged", {"Rows": 0}),
        ("damaged", {"Rows": None}),
        ("damaged", {"Rows": 9000}),
        ("damaged", {"BitsAllocated": 12}),
        ("damaged", {"BitsStored": 17}),
        ("damaged", {"HighBit": 3, "BitsStored": 12}),
    ],
)
def test_what_is_not_read_has_its_reason(
    tmp_path: Path, reason: str, elements: dict[str, Any]
) -> None:
    for number in (1, 2):
        save(image(VALUES, number=number, **elements), tmp_path / f"{number}.dcm")
    found = only(tmp_path)
    assert (found.reason, found.images) == (reason, 2)
    assert found.series_uid == image(VALUES).SeriesInstanceUID
    assert "1.dcm and 1 other: it" in found.sentence()


def test_vendors_mark_mosaics_and_phase_in_elements_of_their_own(tmp_path: Path) -> None:
    for reason, group, creator, element in (
        ("mosaic", 0x0019, "SIEMENS MR HEADER", (0x0019, 0x100A, "US", 36)),
        ("phase", 0x0043, "GEMS_PARM_01", (0x0043, 0x102F, "SS", 1)),
    ):
        dataset = image(VALUES)
        dataset.add_new((group, 0x0010), "LO", creator)
        dataset.add_new(element[:2], *element[2:])
        assert only(save(dataset, tmp_path / reason)).reason == reason


def test_objects_without_pixels(tmp_path: Path) -> None:
    for number, modality in enumerate(("SR", "PR", "KO", "MR")):
        kind = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.2"}  # spectroscopy, which has rows
        dataset = image(VALUES, number=number, Modality=modality, **kind)
        del dataset.PixelData
        if modality == "MR":
            dataset.EncryptedAttributesSequence = Sequence([Dataset()])
        save(dataset, tmp_path / modality)
    found = index_study(tmp_path).not_read
    assert {each.reason for each in found} == {"no-pixels"}
    assert {each.detail for each in found} == {"SR", "PR", "KO", "it is encrypted"}


def test_an_image_without_pixels_is_cut_short(tmp_path: Path) -> None:
    """Wherever that is: a header that ends early looks like one of an object without pixels."""
    whole = save(image(VALUES), tmp_path / "whole").read_bytes()
    for place in range(400, len(whole) - 10, 23):
        (tmp_path / "cut").write_bytes(whole[:place])
        assert only(tmp_path / "cut").reason == "damaged", place


def test_planes_across_each_other_are_a_localizer(tmp_path: Path) -> None:
    """Vendors mark localizers in their own words, or not at all."""
    planes = (
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
        ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    )
    for number in range(9):
        row, column = planes[number // 3]
        across = np.cross(row, column) * (number % 3) * 10
        dataset = image(VALUES, number=number, position=across, along_row=row, along_column=column)
        save(dataset, tmp_path / f"{number}")
    found = only(tmp_path)
    assert (found.reason, found.images) == ("localizer", 9)


def test_a_picture_of_where_slices_lie_makes_no_localizer_of_them(tmp_path: Path) -> None:
    for number in range(8):
        save(image(VALUES, number=number, position=(0, 0, number)), tmp_path / f"{number}")
    across = {"along_row": (0.0, 1.0, 0.0), "along_column": (0.0, 0.0, -1.0)}
    save(image(VALUES, number=8, **across), tmp_path / "8")
    [series] = index_study(tmp_path).series
    shapes = [found.voxels.shape for found in read_volumes(series) if isinstance(found, Volume)]
    assert shapes == [(8, 8, 9), (1, 8, 9)]


def test_without_series_uids_folders_are_series(tmp_path: Path) -> None:
    for number in range(4):
        dataset = image(VALUES, number=number, position=(0, 0, number), SeriesInstanceUID=None)
        save(dataset, tmp_path / str(number // 2) / f"{number}")
    assert [series.images for series in index_study(tmp_path).series] == [2, 2]


def test_a_dicomdir_is_said_and_its_files_are_read(tmp_path: Path) -> None:
    for number in (1, 2):
        save(image(VALUES, number=number, position=(0, 0, number)), tmp_path / "disc" / f"{number}")
    directory = Dataset()
    directory.SOPClassUID, directory.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3"
    directory.DirectoryRecordSequence = Sequence([])
    path = save(directory, tmp_path / "disc" / "DICOMDIR")
    # Real ones name their class in the file meta information only.
    written = pydicom.dcmread(path)
    del written.SOPClassUID
    written.save_as(path)
    index = index_study(tmp_path / "disc")
    [series] = index.series
    assert series.images == 2
    assert [(left.reason, Path(left.path).name) for left in index.not_read] == [
        ("directory", "DICOMDIR")
    ]


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_text("I am no DICOM file, and longer than that.")
    (tmp_path / "b.dcm").write_bytes(b"")
    (tmp_path / "c.dcm").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "d.dcm").write_bytes(bytes(5000))
    Image.new("L", (8, 8)).save(tmp_path / "e.png")
    whole = save(image(VALUES), tmp_path / "h").read_bytes()
    (tmp_path / "h").write_bytes(gzip.compress(whole))
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "f").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "g").symlink_to(tmp_path / "none")
    found = {Path(each.path).name: each for each in index_study(tmp_path).not_read}
    assert {name: each.reason for name, each in found.items()} == {
        "a.dcm": "not-dicom",
        "b.dcm": "damaged",
        "c.dcm": "no-pixels",
        "d.dcm": "not-dicom",
        "e.png": "not-dicom",
        "h": "not-dicom",
        ".hidden": "hidden",
        "f": "linked-folder",
        "g": "cannot-open",
    }
    for each in found.values():
        assert each.sentence().count(each.path) == 1


def test_a_folder_that_may_not_be_listed_is_a_record_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(image(VALUES), tmp_path / "a" / "1")
    save(image(VALUES, number=2), tmp_path / "shut" / "2")
    scandir = os.scandir

    def shut(path: str) -> Any:  # who runs as root may list everything
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", shut)
    index = index_study(tmp_path)
    assert [series.images for series in index.series] == [1]
    assert [(left.reason, Path(left.path).name, left.detail) for left in index.not_read] == [
        ("cannot-open", "shut", "Permission denied")
    ]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("pipe", "pipe.nii"):
        os.mkfifo(tmp_path / name)
    index = index_study(tmp_path)
    [series] = index.series
    assert [left.reason for left in index.not_read] == ["cannot-open"]
    assert [found.reason for found in read_volumes(series)] == ["cannot-open"]


def test_deflated_files_that_become_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.zeros((500, 500), np.uint16)
    path = save(image(values), tmp_path / "a", syntax=DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 5000
    assert index_study(path).not_read == ()
    monkeypatch.setattr("tumorscope.scans.file_checks.MAX_WHOLE", 100_000)
    assert only(path).reason == "too-large"


def test_two_files_of_one_image_are_one(tmp_path: Path) -> None:
    for name in "abc":
        save(image(VALUES), tmp_path / name)
    index = index_study(tmp_path)
    assert index.series[0].images == 1
    assert [(left.reason, left.images) for left in index.not_read] == [("duplicate", 2)]


def test_a_damaged_copy_does_not_hide_the_whole_one(tmp_path: Path) -> None:
    whole = save(image(VALUES), tmp_path / "b")
    (tmp_path / "a").write_bytes(whole.read_bytes()[:-20])
    index = index_study(tmp_path)
    assert index.series[0].path == str(whole)
    assert [left.reason for left in index.not_read] == ["damaged"]


def test_odd_values_in_headers(tmp_path: Path) -> None:
    """What does not follow the standard, as real archives have it, is read where it can be."""
    dataset = image(VALUES, InstanceNumber=None)
    for element in (
        pydicom.DataElement(0x00180081, "DS", ""),
        pydicom.DataElement(0x00200013, "IS", ""),
        pydicom.DataElement(0x00180088, "DS", ""),
        pydicom.DataElement(0x00281050, "DS", []),
    ):
        dataset.add(element)
    save(dataset, tmp_path / "a")
    index = index_study(tmp_path)
    assert index.not_read == ()
    assert index.series[0].frames[0].instance is None


@pytest.mark.parametrize("value", ["1e308", "-1e308", "1e160", "1e20", "1e7", "1e-7", "1e-300"])
@pytest.mark.parametrize("one_file", [False, True])
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("PixelSpacing", 2),
        ("ImagePositionPatient", 3),
        ("ImageOrientationPatient", 6),
        ("SpacingBetweenSlices", 1),
        ("WindowCenter", 1),
        ("WindowWidth", 1),
        ("RescaleSlope", 1),
        ("RescaleIntercept", 1),
    ],
)
def test_numbers_beyond_all_sense_do_no_harm(
    tmp_path: Path, name: str, count: int, value: str, one_file: bool
) -> None:
    for number in range(1 if one_file else 3):
        elements = {"WindowCenter": "90", "WindowWidth": "50"}
        dataset = image(VALUES, number=number, position=(0, 0, number), **elements)
        if number == 0 or name != "ImagePositionPatient":
            stated = dataset.get(name) if count > 1 else None
            setattr(dataset, name, value if stated is None else [value, *stated[1:]])
        save(dataset, tmp_path / f"{number}")
    index = index_study(tmp_path)
    assert index.series or index.not_read
    for found in (one for series in index.series for one in read_volumes(series)):
        if isinstance(found, NotRead):
            continue
        assert np.isfinite(found.affine).all()
        for scan in views(found, window=Window("dicom"), every=2.0):
            assert max(scan.slice.pixels.shape) <= 1024
            assert np.isfinite([scan.position, *scan.centre, *(scan.slice.spacing or ())]).all()


def test_extra_bytes_and_private_elements_do_no_harm(tmp_path: Path) -> None:
    dataset = image(VALUES)
    dataset.add_new(0x00091001, "UN", bytes(range(256)) * 40)
    dataset.PixelData += bytes(100)
    path = save(dataset, tmp_path / "a")
    with path.open("ab") as file:
        file.write(bytes(64))
    [series] = index_study(path).series
    [volume] = read_volumes(series)
    assert isinstance(volume, Volume)
    assert np.array_equal(volume.voxels[0], VALUES)


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless],
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.one_of(st.just(0), st.integers(0, 3000)),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4),
    tail=st.binary(max_size=8),
)
def test_damaged_files_never_crash(
    tmp_path: Path, syntax: UID, cut: int, changes: list[tuple[int, int]], tail: bytes
) -> None:
    path = tmp_path / "a"
    data = bytearray(save(image(LARGER), path, syntax=syntax).read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(bytes(data[: len(data) - cut]) + tail)
    index = index_study(path)
    for series in index.series:
        for found in read_volumes(series):
            assert isinstance(found, Volume | NotRead)
    assert all(each.reason in REASONS for each in index.not_read)
    assert index.series or index.not_read
