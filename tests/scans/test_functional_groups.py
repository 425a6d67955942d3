"""Enhanced multi-frame files: each frame's own facts count, in whatever order frames are stored."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from tests.fixtures.dicom_files import Array, enhanced, save

from tumorscope.scans import NotRead, Volume, index_study, read_volumes, views

FRAMES = 5
HEIGHTS = [10.0 + 5.0 * index for index in range(FRAMES)]


def drawn() -> Array:
    return np.random.default_rng(1).integers(0, 4096, (FRAMES, 32, 40), dtype=np.uint16)


def at(heights: list[float]) -> list[tuple[float, float, float]]:
    return [(-20.0, -30.0, height) for height in heights]


def read(path: Path) -> list[Volume | NotRead]:
    index = index_study(path)
    assert index.not_read == ()
    [series] = index.series
    return list(read_volumes(series))


def only(path: Path) -> Volume:
    [volume] = read(path)
    assert isinstance(volume, Volume)
    return volume


@settings(max_examples=25)
@given(
    order=st.permutations(range(FRAMES)),
    syntax=st.sampled_from(
        [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEG2000Lossless]
    ),
)
def test_frames_in_any_order_make_one_volume(order: list[int], syntax: str) -> None:
    values = drawn()
    dataset = enhanced(values[order], at([HEIGHTS[index] for index in order]), stored=12)
    with tempfile.TemporaryDirectory() as folder:
        volume = only(save(dataset, Path(folder) / "a.dcm", syntax=syntax))
    assert np.array_equal(volume.voxels, values)
    assert volume.positions == pytest.approx(HEIGHTS)
    assert [origin.frame for origin in volume.origins] == [
        order.index(index) + 1 for index in range(FRAMES)
    ]
    assert {origin.sop_instance_uid for origin in volume.origins} == {dataset.SOPInstanceUID}
    assert volume.spacing[0] == pytest.approx(5.0)
    first = next(views(volume))
    assert first.frame == order.index(0) + 1
    assert first.position == pytest.approx(10.0)
    assert first.slice.source.endswith(f"a.dcm#{order.index(0) + 1}")


def test_each_frame_has_its_own_rescale(tmp_path: Path) -> None:
    """SimpleITK applies the first frame's to all."""
    values = drawn()
    rescales = [(1.0 + index, -10.0 * index) for index in range(FRAMES)]
    path = save(enhanced(values, at(HEIGHTS), rescales=rescales), tmp_path / "a.dcm")
    slopes, intercepts = (np.array(part)[:, None, None] for part in zip(*rescales, strict=True))
    volume = only(path)
    assert volume.voxels.dtype == np.float32
    assert np.array_equal(volume.voxels, values * slopes + intercepts)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert not np.array_equal(theirs, volume.voxels)
    assert np.array_equal(theirs[0], volume.voxels[0])


@pytest.mark.parametrize(
    ("name", "values"),
    [("TemporalPositionIndex", [1, 1, 2, 2]), ("StackID", ["1", "1", "2", "2"])],
)
def test_frames_at_the_same_place_are_parted(
    tmp_path: Path, name: str, values: list[object]
) -> None:
    frames = drawn()[:4]
    dataset = enhanced(frames, at([10.0, 15.0, 15.0, 10.0]), per_frame={name: values})
    first, second = read(save(dataset, tmp_path / "a.dcm"))
    assert isinstance(first, Volume)
    assert isinstance(second, Volume)
    assert np.array_equal(first.voxels, frames[:2])
    assert np.array_equal(second.voxels, frames[[3, 2]])
    assert (first.part, second.part) == ((1, 2), (2, 2))
    assert [remark.code for remark in first.remarks] == ["part"]


def test_weightings_of_diffusion_at_the_same_place_are_parted(tmp_path: Path) -> None:
    frames = drawn()[:4]
    dataset = enhanced(frames, at([10.0, 10.0, 15.0, 15.0]))
    for group, weighting in zip(
        dataset.PerFrameFunctionalGroupsSequence, (0.0, 1000.0, 1000.0, 0.0), strict=True
    ):
        diffusion = Dataset()
        diffusion.DiffusionBValue = weighting
        group.MRDiffusionSequence = Sequence([diffusion])
    plain, weighted = read(save(dataset, tmp_path / "a.dcm"))
    assert isinstance(plain, Volume)
    assert isinstance(weighted, Volume)
    assert np.array_equal(plain.voxels, frames[[0, 3]])
    assert np.array_equal(weighted.voxels, frames[[1, 2]])
    assert (plain.acquisition.b_value, weighted.acquisition.b_value) == (0.0, 1000.0)
    assert [remark.detail for remark in weighted.remarks] == ["told apart by b-value"]


def test_stacks_of_two_orientations_are_two_volumes(tmp_path: Path) -> None:
    frames = np.random.default_rng(2).integers(0, 4096, (27, 8, 9), dtype=np.uint16)
    places = [(-20.0, -30.0, 5.0 * index) for index in range(25)] + [(0.0, -30.0, 60.0)] * 2
    dataset = enhanced(frames, places)
    del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        plane = Dataset()
        plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0] if index < 25 else [0, 1, 0, 0, 0, -1]
        group.PlaneOrientationSequence = Sequence([plane])
        group.PlanePositionSequence[0].ImagePositionPatient[0] = 4.0 * index
    for group in dataset.PerFrameFunctionalGroupsSequence[:25]:
        group.PlanePositionSequence[0].ImagePositionPatient[0] = -20.0
    found = read(save(dataset, tmp_path / "a.dcm"))
    shapes = [each.voxels.shape for each in found if isinstance(each, Volume)]
    assert shapes == [(25, 8, 9), (2, 8, 9)]
    assert {r.code for each in found for r in each.remarks} >= {"mixed-orientations"}


def test_frames_that_show_phase_are_passed_over_and_the_others_read(tmp_path: Path) -> None:
    dataset = enhanced(drawn(), at(HEIGHTS))
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        kind = Dataset()
        kind.FrameType = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
        kind.ComplexImageComponent = "PHASE" if index == 2 else "MAGNITUDE"
        group.MRImageFrameTypeSequence = Sequence([kind])
    left_out, volume = read(save(dataset, tmp_path / "a.dcm"))
    assert isinstance(left_out, NotRead)
    assert (left_out.reason, left_out.images) == ("phase", 1)
    assert isinstance(volume, Volume)
    assert [origin.frame for origin in volume.origins] == [1, 2, 4, 5]
    assert "gap" in {remark.code for remark in volume.remarks}


def test_planes_across_each_other_in_one_file_are_a_localizer(tmp_path: Path) -> None:
    dataset = enhanced(drawn(), at(HEIGHTS))
    del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        plane = Dataset()
        plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0] if index < 3 else [0, 1, 0, 0, 0, -1]
        group.PlaneOrientationSequence = Sequence([plane])
    [found] = read(save(dataset, tmp_path / "a.dcm"))
    assert isinstance(found, NotRead)
    assert (found.reason, found.images) == ("localizer", FRAMES)


def test_the_contrast_that_the_header_names(tmp_path: Path) -> None:
    dataset = enhanced(drawn(), at(HEIGHTS), AcquisitionContrast="FLUID_ATTENUATED")
    assert only(save(dataset, tmp_path / "a.dcm")).acquisition.sequence == "FLAIR"


def test_files_that_do_not_say_where_their_frames_lie(tmp_path: Path) -> None:
    whole = enhanced(drawn(), at(HEIGHTS))
    del whole.PerFrameFunctionalGroupsSequence, whole.SharedFunctionalGroupsSequence
    fewer = enhanced(drawn(), at(HEIGHTS))
    fewer.PerFrameFunctionalGroupsSequence = fewer.PerFrameFunctionalGroupsSequence[:3]
    nowhere = enhanced(drawn(), at(HEIGHTS))
    for group in nowhere.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence
        group.PlaneOrientationSequence = Sequence([])
    del nowhere.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    cases = {"geometry": whole, "damaged": fewer}
    for reason, dataset in cases.items():
        [found] = read(save(dataset, tmp_path / f"{reason}.dcm"))
        assert isinstance(found, NotRead)
        assert found.reason == reason
    [found] = read(save(nowhere, tmp_path / "nowhere.dcm"))
    assert isinstance(found, NotRead)
    assert (found.reason, found.images) == ("geometry", FRAMES)


def test_a_header_that_promises_more_frames_than_there_are(tmp_path: Path) -> None:
    dataset = enhanced(drawn(), at(HEIGHTS))
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]
    [found] = read(save(dataset, tmp_path / "a.dcm"))
    assert isinstance(found, NotRead)
    assert found.reason == "damaged"
    dataset = enhanced(drawn(), at(HEIGHTS))
    dataset.NumberOfFrames = 1_000_000
    [found] = read(save(dataset, tmp_path / "a.dcm"))
    assert isinstance(found, NotRead)
    assert found.reason == "too-large"
