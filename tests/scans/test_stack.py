"""Images become volumes: sorted by place, parted where several lie at one place."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import RLELossless
from tests.fixtures.dicom_files import Array, image, save

from tumorscope.scans import NotRead, Volume, index_study, read_volumes, views


def write(folder: Path, images: list[dict[str, Any]]) -> Path:
    """One small image each, in a random order of files; its grey is its number."""
    names = [f"{index:03d}" for index in range(len(images))]
    random.Random(0).shuffle(names)
    for number, (name, elements) in enumerate(zip(names, images, strict=True), 1):
        values = np.full((6, 5), number, np.uint16)
        save(image(values, **{"number": number, **elements}), folder / name)
    return folder


def at(*place: float, **elements: Any) -> dict[str, Any]:
    return {"position": place, **elements}


def volumes(folder: Path) -> list[Volume]:
    [series] = index_study(folder).series
    found = list(read_volumes(series))
    assert all(isinstance(each, Volume) for each in found)
    return [each for each in found if isinstance(each, Volume)]


def greys(volume: Volume) -> list[int]:
    return [int(plane[0, 0]) for plane in volume.voxels]


def codes(volume: Volume) -> list[str]:
    return [remark.code for remark in volume.remarks]


def test_slices_lie_in_the_order_of_their_places(tmp_path: Path) -> None:
    """Instance numbers run the other way here, and file names anyhow."""
    [volume] = volumes(write(tmp_path, [at(0, 0, 20 - 5 * index) for index in range(4)]))
    assert greys(volume) == [4, 3, 2, 1]
    assert volume.positions == pytest.approx([5.0, 10.0, 15.0, 20.0])
    assert volume.regular
    assert codes(volume) == []


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("EchoTime", "10", "90"),
        ("TemporalPositionIdentifier", 1, 2),
        ("AcquisitionNumber", 1, 2),
        ("InversionTime", "100", "2500"),
        ("DiffusionBValue", 0.0, 1000.0),
        ("TriggerTime", "0", "400"),
        ("AcquisitionTime", "101500", "101600"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "M", "IR"], ["ORIGINAL", "PRIMARY", "M", "SE"]),
    ],
)
def test_two_volumes_in_a_series(tmp_path: Path, name: str, first: object, second: object) -> None:
    images = [
        at(0, 0, 5 * index, **{name: value}) for index in range(3) for value in (second, first)
    ]
    parts = volumes(write(tmp_path, images))
    assert [greys(part) for part in parts] == [[2, 4, 6], [1, 3, 5]]
    assert [part.part for part in parts] == [(1, 2), (2, 2)]
    assert [codes(part) for part in parts] == [["part"]] * 2


def test_two_echoes_at_two_times(tmp_path: Path) -> None:
    images = [
        at(0, 0, 5 * index, EchoTime=str(echo), TemporalPositionIdentifier=time)
        for time in (1, 2)
        for echo in (10, 20)
        for index in range(3)
    ]
    parts = volumes(write(tmp_path, images))
    assert [greys(part) for part in parts] == [[1, 2, 3], [7, 8, 9], [4, 5, 6], [10, 11, 12]]


def test_a_number_that_counts_slices_parts_nothing(tmp_path: Path) -> None:
    """EPI series may hold two volumes that no element tells apart, and times that vary."""
    images = [
        at(0, 0, 5 * index, AcquisitionTime=f"10{index:02d}00", AcquisitionNumber=index)
        for _ in range(2)
        for index in range(5)
    ]
    parts = volumes(write(tmp_path, images))
    assert [greys(part) for part in parts] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert [codes(part) for part in parts] == [["part-by-order"]] * 2
    assert all(part.regular and part.spacing[0] == pytest.approx(5.0) for part in parts)


def test_a_volume_that_was_broken_off(tmp_path: Path) -> None:
    images = [at(0, 0, 5 * index, EchoTime="10") for index in range(4)]
    images += [at(0, 0, 5 * index, EchoTime="90") for index in range(2)]
    whole, part = volumes(write(tmp_path, images))
    assert (len(whole.voxels), len(part.voxels)) == (4, 2)
    assert codes(part) == ["part", "incomplete"]


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0), ()])
def test_images_without_places_lie_in_the_order_of_their_numbers(
    tmp_path: Path, place: tuple[float, ...]
) -> None:
    missing = {} if place else {"ImagePositionPatient": None}
    images = [{"position": place, "number": 9 - index, **missing} for index in range(3)]
    [volume] = volumes(write(tmp_path, images))
    assert greys(volume) == [3, 2, 1]
    assert codes(volume) == ["instance-order"]
    assert not volume.regular
    assert "7" not in volume.remarks[0].sentence()


def test_images_without_places_and_numbers_are_not_read(tmp_path: Path) -> None:
    images = [{"InstanceNumber": None, "number": index} for index in range(3)]
    [series] = index_study(write(tmp_path, images)).series
    [found] = read_volumes(series)
    assert isinstance(found, NotRead)
    assert (found.reason, found.images) == ("geometry", 3)


def test_missing_slices_are_told(tmp_path: Path) -> None:
    heights = [0, 5, 10, 25, 30, 35]
    [volume] = volumes(write(tmp_path, [at(0, 0, height) for height in heights]))
    assert volume.positions == pytest.approx(heights)
    assert codes(volume) == ["gap"]
    assert "1 of 5 steps, the widest 15.0 mm where 5.0 mm is usual" in volume.remarks[0].detail
    assert [each.position for each in views(volume)] == pytest.approx(heights)


def test_uneven_slices_and_a_tilted_gantry_are_told(tmp_path: Path) -> None:
    heights = [0, 5, 11, 15, 20]
    [volume] = volumes(write(tmp_path / "a", [at(0, 0, height) for height in heights]))
    assert codes(volume) == ["irregular"]
    lean = [at(0, index * 5 * np.tan(np.radians(15)), 5 * index) for index in range(4)]
    [volume] = volumes(write(tmp_path / "b", lean))
    assert codes(volume) == ["tilt"]
    assert "15.0 degrees" in volume.remarks[0].detail
    assert not volume.regular
    assert abs(np.linalg.det(volume.affine[:3, :3])) == pytest.approx(5.0)


def test_rounded_headers_make_one_volume(tmp_path: Path) -> None:
    """Orientations and spacings that differ in their last digits, as after a conversion."""
    images = [
        at(0, 0, 5 * index + 0.003 * index, along_row=(1.0, 1e-5 * index, 0.0))
        for index in range(4)
    ]
    images[2]["spacing"] = (1.00001, 1.00001)
    [volume] = volumes(write(tmp_path, images))
    assert greys(volume) == [1, 2, 3, 4]
    assert volume.regular


def test_stacks_of_two_sizes_and_of_two_orientations(tmp_path: Path) -> None:
    for number in range(1, 9):
        shape = (6, 5) if number <= 4 else (8, 5)
        values: Array = np.full(shape, number, np.uint16)
        save(image(values, number=number, position=(0, 0, number)), tmp_path / f"{number}")
    sizes = volumes(tmp_path)
    assert [part.voxels.shape for part in sizes] == [(4, 6, 5), (4, 8, 5)]
    assert [codes(part) for part in sizes] == [["mixed-orientations"]] * 2


def test_a_volume_of_which_no_slice_can_be_decoded(tmp_path: Path) -> None:
    for number in range(1, 4):
        values = np.random.default_rng(number).integers(0, 999, (32, 32), dtype=np.uint16)
        dataset = image(values, number=number, position=(0, 0, number))
        path = save(dataset, tmp_path / f"{number}", syntax=RLELossless)
        path.write_bytes(path.read_bytes()[:-700])
    [series] = index_study(tmp_path).series
    [found] = read_volumes(series)
    assert isinstance(found, NotRead)
    assert (found.reason, found.images) == ("damaged", 3)


def test_a_slice_that_cannot_be_decoded_leaves_a_gap(tmp_path: Path) -> None:
    for number in range(1, 5):
        values = np.random.default_rng(number).integers(0, 999, (32, 32), dtype=np.uint16)
        path = save(
            image(values, number=number, position=(0, 0, number)),
            tmp_path / f"{number}",
            syntax=RLELossless,
        )
        if number == 2:
            path.write_bytes(path.read_bytes()[:-700])
    [volume] = volumes(tmp_path)
    assert [origin.position[2] for origin in volume.origins] == [1, 3, 4]
    assert volume.positions == pytest.approx([1, 3, 4])
    assert codes(volume) == ["gap"]
    assert [left.reason for left in volume.not_read] == ["damaged"]
    assert volume.not_read[0].path.endswith("2")
