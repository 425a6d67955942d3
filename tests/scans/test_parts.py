"""Which volumes of a series are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.dicom_files import write_nifti
from tests.fixtures.volumes import AFFINE, head

from tumorscope.scans import NotRead, Volume, distinct_volumes, index_study

pytest.importorskip("nibabel", reason="needs the dicom extra")


def kinds(path: Path) -> list[str]:
    [series] = index_study(path).series
    return [
        each.reason if isinstance(each, NotRead) else "volume" for each in distinct_volumes(series)
    ]


def test_masks_and_label_maps_are_left_out_and_flat_volumes_are_not(tmp_path: Path) -> None:
    values, mask = head(0, lesion=20.0)
    labels = mask + (values > 250).astype(np.uint8)
    soft = mask.astype(np.float32) * 0.5
    expected = {
        "scan": (values, "volume"),
        "mask": (mask, "segmentation"),
        "labels": (labels, "segmentation"),
        "soft": (soft, "volume"),
        "flat": (np.zeros_like(values), "volume"),
    }
    for name, (content, kind) in expected.items():
        assert kinds(write_nifti(tmp_path / f"{name}.nii", content, AFFINE)) == [kind], name


@pytest.mark.parametrize(("count", "expected"), [(8, ["volume"] * 8), (9, ["volume", "repeat"])])
def test_of_many_time_points_the_first(tmp_path: Path, count: int, expected: list[str]) -> None:
    path = write_nifti(tmp_path / "a.nii", np.stack([head(0)[0]] * count), AFFINE)
    assert kinds(path) == expected


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", np.stack([head(0)[0]] * 10), AFFINE)
    first, others = distinct_volumes(index_study(path).series[0])
    assert isinstance(first, Volume)
    assert isinstance(others, NotRead)
    assert (others.images, others.detail) == (9 * 20, "volumes 2 to 10 of 10")
