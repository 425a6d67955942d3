"""Masks of DICOM segmentations: where their frames lie decides, and what they name."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from tests.fixtures.dicom_files import STUDY, Array, save, write_series
from tests.fixtures.segmentations import plates, segmentation

from tumorscope.scans import Volume, index_study, mask_on, read_segmentation, read_volumes
from tumorscope.scans.not_read import NotReadError

AFFINE = np.array(
    [[0.0, 0.0, 1.5, -7.0], [0.0, 1.5, 0.0, -9.0], [5.0, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 1.0]]
)
SHAPE = (4, 7, 9)
"""63 pixels a slice, so that packed frames begin within bytes."""

SOURCES = [f"{STUDY}.1.{number}" for number in (1, 2, 3, 4)]


def lesion(seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 2, SHAPE, dtype=np.uint8)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    return volume_in(tmp_path_factory.mktemp("series"))


def volume_in(folder: Path, affine: NDArray[np.float64] = AFFINE) -> Volume:
    values = np.random.default_rng(1).integers(0, 4096, SHAPE, dtype=np.uint16)
    write_series(folder, values, affine, FrameOfReferenceUID=f"{STUDY}.77")
    [volume] = read_volumes(index_study(folder).series[0])
    assert isinstance(volume, Volume)
    return volume


def mask(path: Path, volume: Volume, *names: str) -> Array | None:
    one = read_segmentation(str(path))
    found = mask_on(one, volume, one.chosen(names))
    return None if found is None else found.voxels


@pytest.mark.parametrize(
    ("kind", "syntax"),
    [
        *itertools.product(["BINARY"], [ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
        ("BINARY", DeflatedExplicitVRLittleEndian),
        *itertools.product(
            ["FRACTIONAL", "LABELMAP"],
            [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless],
        ),
    ],
)
def test_values_of_every_kind(tmp_path: Path, volume: Volume, kind: str, syntax: UID) -> None:
    inside = lesion()
    frames = inside * {"BINARY": 1, "FRACTIONAL": 100, "LABELMAP": 1}[kind]
    if kind == "FRACTIONAL":
        frames[inside == 0] = 99  # of 200: less than half
    dataset = segmentation(frames.astype(np.uint8), plates(AFFINE, 4), kind=kind, sources=SOURCES)
    found = mask(save(dataset, tmp_path / "seg", syntax=syntax), volume)
    assert found is not None
    assert np.array_equal(found, inside)


FLIPS = st.tuples(st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=30)
@given(
    order=st.sampled_from(list(itertools.permutations(range(3)))),
    flips=FLIPS,
    shuffle=st.permutations(range(4)),
    crop=st.booleans(),
)
def test_frames_may_lie_in_any_direction_and_be_cut_out(
    volume: Volume, order: tuple[int, ...], flips: Any, shuffle: list[int], crop: bool
) -> None:
    inside = lesion()
    frames, affine = inside, AFFINE.copy()
    if crop:
        inside[:, 5:], inside[:, :, :2] = 0, 0
        frames = inside[:, :5, 2:]
        affine[:3, 3] += 2 * affine[:3, 2]
    affine = affine[:, [*order, 3]]
    frames = frames.transpose(order)
    for axis, flip in enumerate(flips):
        if flip:
            frames = np.flip(frames, axis)
            affine[:3, 3] += affine[:3, axis] * (frames.shape[axis] - 1)
            affine[:3, axis] *= -1
    where = plates(affine, len(frames))
    if len(frames) == 4:
        frames, where = frames[shuffle], [where[index] for index in shuffle]
    with tempfile.TemporaryDirectory() as folder:
        path = save(segmentation(frames, where), Path(folder) / "seg")
        found = mask(path, volume)
    assert found is not None
    assert np.array_equal(found, inside)


def test_frames_that_are_left_out_are_outside(tmp_path: Path, volume: Volume) -> None:
    inside = lesion()
    dataset = segmentation(inside[2:3], plates(AFFINE, 4)[2:3], sources=SOURCES[2:3])
    found = mask(save(dataset, tmp_path / "seg"), volume)
    assert found is not None
    assert np.array_equal(found[2], inside[2])
    assert not found[[0, 1, 3]].any()


def test_segments_are_taken_together_or_chosen(tmp_path: Path, volume: Volume) -> None:
    first, second = lesion(1), lesion(2)
    dataset = segmentation(
        np.concatenate([first, second]),
        plates(AFFINE, 4) * 2,
        numbers=[1] * 4 + [2] * 4,
        labels=("Core", "Oedema"),
    )
    path = save(dataset, tmp_path / "seg")
    assert np.array_equal(mask(path, volume), first | second)
    for name in ("2", "oedema", "Kind of Oedema"):
        assert np.array_equal(mask(path, volume, name), second)
    assert read_segmentation(str(path)).chosen(["cyst"]) == []
    labels = first + 2 * (second & (1 - first))
    dataset = segmentation(labels, plates(AFFINE, 4), kind="LABELMAP", labels=("Core", "Oedema"))
    path = save(dataset, tmp_path / "labels")
    assert np.array_equal(mask(path, volume, "core"), first)
    assert np.array_equal(mask(path, volume), first | second)


def test_uneven_slices_have_masks_too(tmp_path: Path) -> None:
    inside, where = lesion(), plates(AFFINE, 4)
    values = np.random.default_rng(1).integers(0, 4096, SHAPE, dtype=np.uint16)
    paths = write_series(tmp_path / "series", values, AFFINE)
    paths[1].unlink()
    [volume] = read_volumes(index_study(tmp_path / "series").series[0])
    assert isinstance(volume, Volume)
    assert not volume.regular
    rest = [0, 2, 3]
    dataset = segmentation(inside[rest], [where[index] for index in rest])
    assert np.array_equal(mask(save(dataset, tmp_path / "a"), volume), inside[rest])
    # Of a frame that names the missing slice nothing is known; without a name it lies nowhere.
    named = segmentation(inside, where, sources=SOURCES)
    assert np.array_equal(mask(save(named, tmp_path / "b"), volume), inside[rest])
    with pytest.raises(NotReadError, match="geometry"):
        mask(save(segmentation(inside, where), tmp_path / "c"), volume)


def test_images_that_are_named_decide_what_it_is_of(tmp_path: Path, volume: Volume) -> None:
    inside, where = lesion(), plates(AFFINE, 4)
    others = [f"{STUDY}.9.{number}" for number in range(4)]
    assert mask(save(segmentation(inside, where, sources=others), tmp_path / "a"), volume) is None
    nowhere = segmentation(inside, [None] * 4, sources=SOURCES)
    assert np.array_equal(mask(save(nowhere, tmp_path / "b"), volume), inside)
    crossed = segmentation(inside, where, sources=SOURCES[::-1])
    with pytest.raises(NotReadError, match="elsewhere than the image"):
        mask(save(crossed, tmp_path / "c"), volume)
    with pytest.raises(NotReadError, match="where it lies"):
        mask(save(segmentation(inside, [None] * 4), tmp_path / "d"), volume)


@pytest.mark.parametrize("move", [(0.3, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 15.0, 0.0)])
def test_frames_between_the_voxels_or_beside_them_are_refused(
    tmp_path: Path, volume: Volume, move: tuple[float, float, float]
) -> None:
    moved = AFFINE.copy()
    moved[:3, 3] += move
    with pytest.raises(NotReadError, match="between the voxels"):
        mask(save(segmentation(lesion(), plates(moved, 4)), tmp_path / "a"), volume)
    finer = AFFINE.copy()
    finer[:3, 1] *= 0.5
    with pytest.raises(NotReadError, match="between the voxels"):
        mask(save(segmentation(lesion(), plates(finer, 4)), tmp_path / "b"), volume)


def test_what_is_damaged_is_refused(
    tmp_path: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = segmentation(lesion(), plates(AFFINE, 4))
    short, more, scale = (segmentation(lesion(), plates(AFFINE, 4)) for _ in range(3))
    short.PixelData = short.PixelData[:20]
    more.NumberOfFrames = 5
    scale.SegmentationType, scale.BitsAllocated, scale.BitsStored = "FRACTIONAL", 8, 8
    scale.HighBit, scale.PixelData = 7, lesion().tobytes()
    for dataset in (short, more, scale):
        with pytest.raises(NotReadError) as caught:
            mask(save(dataset, tmp_path / "a"), volume)
        assert caught.value.reason == "damaged"
    monkeypatch.setattr("tumorscope.scans.segment_pixels.MAX_WHOLE", 30)
    with pytest.raises(NotReadError, match="4 frames of 7 × 9"):
        mask(save(whole, tmp_path / "a"), volume)


@settings(max_examples=60)
@given(
    cut=st.one_of(st.just(0), st.integers(0, 3000)),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4),
)
def test_damaged_files_never_crash(
    volume: Volume, cut: int, changes: list[tuple[int, int]]
) -> None:
    dataset = segmentation(lesion(), plates(AFFINE, 4), sources=SOURCES)
    with tempfile.TemporaryDirectory() as folder:
        path = save(dataset, Path(folder) / "seg")
        data = bytearray(path.read_bytes())
        for place, value in changes:
            data[place % len(data)] = value
        path.write_bytes(bytes(data[: len(data) - cut]))
        try:
            found = mask(path, volume)
        except NotReadError:
            return
    assert found is None or set(np.unique(found)) <= {0, 1}


def test_what_highdicom_writes(tmp_path: Path) -> None:
    hd = pytest.importorskip("highdicom")
    folder = tmp_path / "series"
    volume = volume_in(folder)
    sources = [dcmread(path) for path in sorted(folder.iterdir())]
    for source in sources:
        for name in ("PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
            setattr(source, name, "")
        source.SliceThickness = "5"
        source.StudyDate = source.StudyTime = source.ReferringPhysicianName = ""
    inside = lesion()
    described = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Lesion",
        segmented_property_category=hd.sr.CodedConcept("49755003", "SCT", "Morphology"),
        segmented_property_type=hd.sr.CodedConcept("108369006", "SCT", "Neoplasm"),
        algorithm_type="MANUAL",
    )
    for kind in ("BINARY", "FRACTIONAL", "LABELMAP"):
        made = hd.seg.Segmentation(
            sources,
            inside.astype(np.float32) if kind == "FRACTIONAL" else inside,
            kind,
            [described],
            series_instance_uid=f"{STUDY}.66",
            series_number=66,
            sop_instance_uid=f"{STUDY}.66.1",
            instance_number=1,
            manufacturer="a",
            manufacturer_model_name="b",
            software_versions="c",
            device_serial_number="d",
        )
        made.save_as(tmp_path / kind)
        one = read_segmentation(str(tmp_path / kind))
        assert one.series == {volume.series_uid}
        assert one.segments == {1: ("Lesion", "Neoplasm")}
        assert np.array_equal(mask(tmp_path / kind, volume, "neoplasm"), inside)
