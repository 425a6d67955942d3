"""Files as scanners, archives and programs really write them; without the data these skip."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from tumorscope.scans import (
    NotRead,
    Volume,
    acquired_plane,
    index_study,
    mask_views,
    read_nifti,
    read_volumes,
    same_grid,
    views,
)

MR_AND_CT = ("MR", "CT")


def folder_of(real_data: Path, name: str) -> Path:
    if not (real_data / name).is_dir():
        pytest.skip(f"needs {name}/ in the data folder; set TUMORSCOPE_DATA")
    return real_data / name


@pytest.fixture
def dicom(real_data: Path) -> Path:
    return folder_of(real_data, "dicom")


@pytest.fixture
def nifti(real_data: Path) -> Path:
    return folder_of(real_data, "nifti")


@pytest.fixture
def volumes(real_data: Path) -> Path:
    return folder_of(real_data, "volumes")


def all_of(path: Path) -> list[Volume | NotRead]:
    index = index_study(path, modalities=MR_AND_CT)
    return [found for series in index.series for found in read_volumes(series)]


def only(path: Path) -> Volume:
    [found] = all_of(path)
    assert isinstance(found, Volume), found
    return found


def test_seven_transfer_syntaxes_hold_one_image(dicom: Path) -> None:
    values = pydicom.dcmread(dicom / "mr_small_pydicom" / "MR_small.dcm").pixel_array
    for path in sorted((dicom / "mr_small_pydicom").glob("MR_small*.dcm")):
        volume = only(path)
        assert np.array_equal(volume.voxels[0], values), path.name
        assert volume.voxels.dtype == np.int16
        assert volume.origins[0].sop_instance_uid == pydicom.dcmread(path).SOPInstanceUID


def test_all_is_read_or_has_a_reason(dicom: Path) -> None:
    index = index_study(dicom, modalities=MR_AND_CT)
    reasons = Counter[str]()
    for left in index.not_read:
        reasons[left.reason] += left.images
    assert reasons == {
        "mosaic": 7,
        "duplicate": 12,
        "damaged": 2,
        "derived": 1,
        "phase": 1,
        "not-dicom": 1,
    }
    assert sum(series.images for series in index.series) == 1 + 30 + 10 + 1 + 35
    assert sum(reasons.values()) + 68 == len([path for path in dicom.rglob("*") if path.is_file()])


def test_an_epi_series_is_two_volumes(dicom: Path) -> None:
    """SimpleITK interleaves them into one with half the spacing."""
    first, second = all_of(dicom / "mr_brain_epi_dcm_qa_nih")
    for number, volume in enumerate((first, second)):
        assert isinstance(volume, Volume)
        assert volume.voxels.shape == (15, 64, 64)
        assert volume.spacing[0] == pytest.approx(5.0, abs=1e-3)
        assert [remark.code for remark in volume.remarks] == ["part-by-order"]
        names = [int(Path(origin.path).stem[-5:]) for origin in volume.origins]
        assert names == [15 * number + index for index in range(1, 16)]


def test_a_sagittal_stack_has_the_head_up_and_the_nose_on_the_left(dicom: Path) -> None:
    volume = only(dicom / "siemens_t1_sagittal_and_mosaic" / "3_t1_fl2d_sag")
    assert acquired_plane(volume) == "sagittal"
    shown = list(views(volume))
    assert shown[0].position == pytest.approx(-81.6, abs=1e-3)
    middle = volume.voxels[17]
    # It is acquired as it is shown: the picture is the image, in greys.
    order = np.corrcoef(middle.ravel(), shown[17].slice.pixels.ravel())[0, 1]
    assert order > 0.95
    coronal = list(views(volume, "coronal"))
    assert len(coronal) == 256
    assert coronal[128].slice.pixels.shape == (256, 165)


def test_a_sign_that_header_and_codestream_disagree_on(dicom: Path) -> None:
    volume = only(dicom / "ct_head" / "J2K_pixelrep_mismatch.dcm")
    assert volume.voxels.min() == -2000
    theirs = sitk.ReadImage(str(dicom / "ct_head" / "J2K_pixelrep_mismatch.dcm"))
    assert np.array_equal(volume.voxels, sitk.GetArrayFromImage(theirs))


def test_geometry_is_that_of_simpleitk_where_it_is_right(dicom: Path) -> None:
    folder = dicom / "siemens_t1_sagittal_and_mosaic" / "3_t1_fl2d_sag"
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    theirs = sitk.ReadImage(names)
    volume = only(folder)
    assert np.array_equal(sitk.GetArrayFromImage(theirs), volume.voxels[::-1]) or np.array_equal(
        sitk.GetArrayFromImage(theirs), volume.voxels
    )
    corner = theirs.TransformIndexToPhysicalPoint((0, 0, 0))
    far = theirs.TransformIndexToPhysicalPoint((255, 10, 34))
    ours = [
        volume.affine @ (index, row, column, 1)
        for index, row, column in ((0, 0, 0), (34, 10, 255), (34, 0, 0), (0, 10, 255))
    ]
    assert min(np.abs(each[:3] - corner).max() for each in ours) < 1e-3
    assert min(np.abs(each[:3] - far).max() for each in ours) < 1e-3


def test_nifti_files_of_all_kinds(nifti: Path) -> None:
    shapes = {
        path.name: [volume.voxels.shape for volume in read_nifti(path)]
        for path in sorted(nifti.glob("*.nii*"))
    }
    assert shapes == {
        "TCGA-FG-6692_fla.nii.gz": [(26, 256, 208)],
        "TCGA-FG-6692_t1c.nii.gz": [(26, 224, 256)],
        "dcmqa_epi_ax_asc_35sl_6.nii": [(35, 64, 64)] * 2,
        "nibabel_anatomical.nii": [(25, 41, 33)],
        "nibabel_example4d.nii.gz": [(24, 96, 128)] * 2,
        "nibabel_example_nifti2.nii.gz": [(12, 20, 32)] * 2,
    }


def test_masks_lie_on_their_volumes(volumes: Path) -> None:
    """Brain is bright where the mask is, and outside of the head there is none."""
    for name, mask_name in (
        ("brats_2013_pat0004_1_t2", "brats_2013_pat0004_1_mask"),
        ("fullhead_t1c_image", "fullhead_t1c_mask"),
    ):
        [volume] = read_nifti(volumes / f"{name}.nii.gz")
        [mask] = read_nifti(volumes / f"{mask_name}.nii.gz")
        assert same_grid(volume, mask)
        inside, outside = [], []
        for shown, lesion in zip(
            views(volume), mask_views(mask, acquired_plane(volume)), strict=True
        ):
            inside.append(shown.slice.pixels[lesion])
            outside.append(shown.slice.pixels[~lesion])
        assert np.concatenate(inside).mean() > 2 * np.concatenate(outside).mean()


def test_every_volume_is_read_without_a_word(volumes: Path) -> None:
    for path in sorted(volumes.glob("nichart_Subj1*.nii.gz"))[:4]:
        [volume] = read_nifti(path)
        assert volume.remarks == ()
        assert volume.regular
