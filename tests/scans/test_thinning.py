"""Of a volume that is looked at some mm apart, only those slices are decoded."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.fixtures.dicom_files import write_nifti, write_series
from tests.fixtures.volumes import AFFINE, head

from tumorscope.scans import (
    Frame,
    Plane,
    ScanSlice,
    Volume,
    Window,
    index_study,
    positions_of,
    read_volumes,
    thinned_volume,
    views,
)
from tumorscope.scans.pixels import PixelReader

pytest.importorskip("nibabel", reason="needs the dicom extra")

FIXED = Window("range", 0.0, 900.0)


def volume_at(path: Path, *, every: float | None = None, plane: Plane | None = None) -> Volume:
    [series] = index_study(path).series
    [volume] = read_volumes(series, every=every, plane=plane)
    assert isinstance(volume, Volume)
    return volume


def told(scan: ScanSlice) -> tuple[object, ...]:
    where = round(scan.position, 6), tuple(np.round(scan.centre, 6))
    return scan.index, *where, scan.sop_instance_uid, scan.slice.source, scan.slice.pixels.tobytes()


@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_what_is_left_is_what_the_whole_volume_shows(
    tmp_path: Path, flips: tuple[int, int, int]
) -> None:
    values = head(1)[0][:19]
    affine = AFFINE @ np.diag([*flips, 1])
    dicom = write_series(tmp_path / "d", values, affine)[0].parent
    for path in (dicom, write_nifti(tmp_path / "a.nii", values, affine)):
        whole, left = volume_at(path), volume_at(path, every=14.0)
        assert len(left.voxels) == 8
        assert left.path == whole.path
        assert [each.position for each in left.stack_origins] == [
            each.position for each in whole.origins
        ]
        shown = [told(each) for each in views(left, every=14.0, window=FIXED)]
        assert shown == [told(each) for each in views(whole, every=14.0, window=FIXED)]
        places = positions_of(left, every=14.0)
        assert places[0] == pytest.approx(positions_of(whole, every=14.0)[0])
        assert places[1].tolist() == [each[0] for each in shown]
        again = [told(each) for each in views(left, every=14.0, window=FIXED, only={shown[3][0]})]
        assert again == [shown[3]]


def test_only_these_are_decoded_unless_the_others_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path, head(1)[0], AFFINE)
    decoded: list[Frame] = []
    values = PixelReader.values

    def noting(reader: PixelReader, frame: Frame) -> NDArray[np.generic]:
        decoded.append(frame)
        return values(reader, frame)

    monkeypatch.setattr(PixelReader, "values", noting)
    assert len(volume_at(tmp_path, every=12.0).voxels) == len(decoded) == 10
    assert len(volume_at(tmp_path, every=12.0, plane="axial").voxels) == 10
    assert len(volume_at(tmp_path, every=12.0, plane="coronal").voxels) == 20


def test_slices_at_even_distances_stay_regular_and_their_geometry_stays_right(
    tmp_path: Path,
) -> None:
    whole = volume_at(write_nifti(tmp_path / "a.nii", head(1)[0], AFFINE))
    even = thinned_volume(whole, 12.0)
    assert even.regular
    assert even.spacing[0] == pytest.approx(12.0)
    assert even.affine[:3, 3] == pytest.approx(even.origins[0].position)
    assert not thinned_volume(whole, 15.0).regular
    assert thinned_volume(even, 30.0) is even
    assert thinned_volume(whole, None) is whole


@given(st.integers(1, 40), st.floats(0.3, 8.0), st.floats(0.5, 20.0), st.booleans())
def test_the_direction_of_storage_does_not_decide_what_is_left(
    count: int, step: float, every: float, other_axis: bool
) -> None:
    from tumorscope.scans.volume import SliceOrigin

    def made(sign: float) -> Volume:
        positions = np.arange(count) * step
        through = (0, 0, sign) if not other_axis else (0, sign, 0)
        affine = np.eye(4)
        affine[:3, 0] = np.array(through) * step
        affine[:3, 1] = (0, 1, 0) if not other_axis else (0, 0, 1)
        affine[:3, 2] = (1, 0, 0)
        places = [tuple(float(each) for each in np.array(through) * at) for at in positions]
        origins = tuple(SliceOrigin("a", str(n), None, at) for n, at in enumerate(places))
        return Volume(np.zeros((count, 2, 2), np.int16), affine, positions, True, origins, "a")

    def left(sign: float) -> list[int]:
        found = views(thinned_volume(made(sign), every), every=every, window=FIXED)
        return [each.index for each in found]

    assert left(1.0) == left(-1.0)
