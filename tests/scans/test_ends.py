"""What headers tell of slices that are missing at an end of a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.dicom_files import enhanced, image, save, write_series

from tumorscope.scans import Volume, index_study, read_volumes

AFFINE = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]], dtype=float)


def write(folder: Path, count: int, **elements: Any) -> list[Path]:
    return write_series(folder, np.ones((count, 6, 5), np.uint16), AFFINE, **elements)


def ends(folder: Path, every: float | None = None) -> list[tuple[float, str]]:
    [series] = index_study(folder).series
    return [
        (found.cut_off, "".join(each.detail for each in found.remarks if each.code == "cut-off"))
        for found in read_volumes(series, every=every)
        if isinstance(found, Volume)
    ]


@pytest.mark.parametrize(
    ("elements", "cut_off", "words"),
    [
        ({}, 0.0, ""),
        ({"ImagesInAcquisition": 10}, 0.0, ""),
        ({"ImagesInAcquisition": 13}, 15.0, "of 13 images of the acquisition, 10 are here"),
        ({"ImagesInAcquisition": 20}, 0.0, ""),  # water, and fat in another series
        ({"ImagesInAcquisition": 13, "ImageType": ["DERIVED", "PRIMARY"]}, 0.0, ""),
        ({"ImagesInAcquisition": 7}, 0.0, ""),
        ({"NumberOfSeriesRelatedInstances": 12}, 10.0, "list 12 images of the series, 10 are here"),
        ({"NumberOfSeriesRelatedInstances": 10}, 0.0, ""),
    ],
)
def test_headers_that_count(
    tmp_path: Path, elements: dict[str, Any], cut_off: float, words: str
) -> None:
    write(tmp_path, 10, **elements)
    [(found, detail)] = ends(tmp_path)
    assert found == pytest.approx(cut_off)
    assert words in detail
    assert bool(detail) is bool(cut_off)


@pytest.mark.parametrize("every", [None, 8.0])
def test_numbers_that_begin_late(tmp_path: Path, every: float | None) -> None:
    for path in write(tmp_path, 10)[:3]:
        path.unlink()
    [(found, detail)] = ends(tmp_path, every)
    assert found == pytest.approx(15.0)
    assert detail == "its instance numbers begin with 4"


@pytest.mark.parametrize(
    ("count", "first", "cut_off"),
    [
        (24, 25, 0.0),  # the second echo, in a series of its own
        (24, 73, 0.0),  # and the fourth
        (24, 24, 115.0),
        (10, 11, 50.0),  # the lower half of a head
        (24, 1001, 0.0),  # no count
    ],
)
def test_numbers_that_begin_elsewhere(
    tmp_path: Path, count: int, first: int, cut_off: float
) -> None:
    values = np.ones((6, 5), np.uint16)
    for index in range(count):
        one = image(values, number=first + index, position=(0, 0, 5 * index))
        save(one, tmp_path / f"{index:02d}")
    [(found, detail)] = ends(tmp_path)
    assert found == pytest.approx(cut_off)
    assert bool(detail) is bool(cut_off)


@pytest.mark.parametrize(
    ("elements", "cut_off"),
    [
        ({"ImagesInAcquisition": 840}, 0.0),  # 34 directions and a b-value of 0; one volume is here
        ({"ImagesInAcquisition": 850}, 0.0),
        ({"NumberOfSeriesRelatedInstances": 72}, 0.0),  # one echo of three
        ({"NumberOfSeriesRelatedInstances": 30}, 30.0),
    ],
)
def test_whole_volumes_that_are_missing_are_no_ends(
    tmp_path: Path, elements: dict[str, Any], cut_off: float
) -> None:
    write(tmp_path, 24, **elements)
    assert [found for found, _ in ends(tmp_path)] == pytest.approx([cut_off])


def test_numbers_that_count_no_slices_say_nothing(tmp_path: Path) -> None:
    values = np.ones((6, 5), np.uint16)
    for index, number in enumerate([8, 6, 9, 7, 10]):
        save(image(values, number=number, position=(0, 0, 5 * index)), tmp_path / f"{index}")
    assert ends(tmp_path) == [(0.0, "")]


def test_files_of_the_series_that_are_cut(tmp_path: Path) -> None:
    for path in write(tmp_path, 10)[-3:]:
        path.write_bytes(path.read_bytes()[:-20])
    [(found, detail)] = ends(tmp_path)
    assert found == pytest.approx(15.0)
    assert detail == "3 images of the series cannot be read"
    write(tmp_path / "again", 10)  # whole copies of them, too
    assert ends(tmp_path) == [(0.0, "")]


def test_slices_that_are_missing_between_others_are_no_end(tmp_path: Path) -> None:
    paths = write(tmp_path, 10, ImagesInAcquisition=10)
    paths[4].unlink()
    paths[6].write_bytes(paths[6].read_bytes()[:-20])
    assert ends(tmp_path) == [(0.0, "")]
    paths[9].unlink()
    [(found, detail)] = ends(tmp_path)
    assert found == pytest.approx(5.0)
    assert "of 10 images of the acquisition, 7 are here" in detail


@pytest.mark.parametrize(("total", "cut_off"), [(1, 0.0), (2, 25.0)])
def test_files_of_a_concatenation(tmp_path: Path, total: int, cut_off: float) -> None:
    places = [(0, 0, 5 * index) for index in range(5)]
    parts = {"ConcatenationUID": "1.2.3", "InConcatenationTotalNumber": total}
    save(enhanced(np.ones((5, 6, 5), np.uint16), places, **parts), tmp_path / "first")
    [(found, detail)] = ends(tmp_path)
    assert found == pytest.approx(cut_off)
    assert detail == ("1 file of a concatenation is not here" if cut_off else "")


def test_the_number_of_files_may_stand_in_the_last_alone(tmp_path: Path) -> None:
    for number in (1, 2):
        places = [(0, 0, 5 * index + 20 * number) for index in range(4)]
        parts: dict[str, Any] = {"ConcatenationUID": "1.2.3", "InConcatenationNumber": number}
        parts |= {"InConcatenationTotalNumber": 2} if number == 2 else {}
        one = enhanced(np.ones((4, 6, 5), np.uint16), places, **parts)
        one.SOPInstanceUID = f"1.2.3.{number}"
        save(one, tmp_path / str(number))
    assert ends(tmp_path) == [(0.0, "")]


def test_images_that_are_passed_over_are_not_missing(tmp_path: Path) -> None:
    """Phase images among the magnitudes took the first numbers, and count as images."""
    told = {"ImagesInAcquisition": 10, "NumberOfSeriesRelatedInstances": 10}
    for number, path in enumerate(write(tmp_path, 10, **told)[:3]):
        phase = image(
            np.ones((6, 5), np.uint16), number=number + 1, ImageType=["ORIGINAL", "PRIMARY", "P"]
        )
        save(phase, path)
    assert ends(tmp_path) == [(0.0, "")]


def test_a_volume_that_is_shorter_than_the_others(tmp_path: Path) -> None:
    values = np.ones((6, 5), np.uint16)
    for index in range(10):
        for echo in (10, 90):
            number = 2 * index + (echo > 10) + 1
            if echo == 10 or index < 6:
                place = {"position": (0, 0, 5 * index), "EchoTime": str(echo)}
                save(image(values, number=number, **place), tmp_path / f"{number:02d}")
    assert [found for found, _ in ends(tmp_path)] == pytest.approx([0.0, 20.0])
