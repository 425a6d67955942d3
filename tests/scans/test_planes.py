"""Slices are shown alike however a volume is stored: flipped, turned, sorted anyhow."""

from __future__ import annotations

import itertools
import random
import subprocess
import tempfile
from pathlib import Path

import dcm2niix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.fixtures.dicom_files import enhanced, save, write_nifti, write_series

from tumorscope.common.errors import InputError, UsageError
from tumorscope.scans import (
    Plane,
    Volume,
    acquired_plane,
    directions,
    index_study,
    mask_views,
    read_nifti,
    read_volumes,
    same_grid,
    views,
)

Array = NDArray[np.generic]
Matrix = NDArray[np.float64]
Flips = tuple[bool, bool, bool]
Angles = tuple[float, float, float]
AFFINE = np.array(
    # slice, row, column → left, posterior, superior: axial, feet first, as it is shown
    [[0.0, 0.0, 1.5, -7.0], [0.0, 1.5, 0.0, -9.0], [5.0, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 1.0]]
)

AFFINE_UNIT = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=float)


def drawn(seed: int = 0) -> Array:
    """(slices, rows, columns), without any symmetry."""
    return np.random.default_rng(seed).integers(0, 4096, (4, 7, 6), dtype=np.uint16)


def turned(
    voxels: Array, affine: Matrix, order: tuple[int, ...], flips: tuple[bool, ...]
) -> tuple[Array, Matrix]:
    """The same volume, stored with other axes."""
    steps = affine[:, [*order, 3]].copy()
    voxels = voxels.transpose(order)
    for axis, flip in enumerate(flips):
        if flip:
            voxels = np.flip(voxels, axis)
            steps[:3, 3] += steps[:3, axis] * (voxels.shape[axis] - 1)
            steps[:3, axis] *= -1
    return voxels, steps


def rotation(angles: Angles) -> Matrix:
    matrix = np.eye(4)
    for axis, angle in enumerate(np.radians(angles)):
        one = np.eye(4)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        one[first, first] = one[second, second] = np.cos(angle)
        one[first, second], one[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ one
    return matrix


def of_nifti(voxels: Array, affine: Matrix) -> Volume:
    with tempfile.TemporaryDirectory() as folder:
        [volume] = read_nifti(write_nifti(Path(folder) / "a.nii", voxels, affine))
    return volume


def of_dicom(voxels: Array, affine: Matrix, *, shuffle: int = 0) -> Volume:
    with tempfile.TemporaryDirectory() as folder:
        paths = write_series(Path(folder), voxels, affine)
        names = [f"{index}.x" for index in range(len(paths))]
        random.Random(shuffle).shuffle(names)
        for path, name in zip(paths, names, strict=True):
            path.rename(path.with_name(name))
        [series] = index_study(folder).series
        [volume] = read_volumes(series)
    assert isinstance(volume, Volume)
    return volume


def of_enhanced(voxels: Array, affine: Matrix, *, shuffle: int = 0) -> Volume:
    order = list(range(len(voxels)))
    random.Random(shuffle).shuffle(order)
    steps, lengths = affine[:3, :3], np.linalg.norm(affine[:3, :3], axis=0)
    dataset = enhanced(
        voxels[order],
        [affine[:3, 3] + index * steps[:, 0] for index in order],
        along_row=steps[:, 2] / lengths[2],
        along_column=steps[:, 1] / lengths[1],
        spacing=(float(lengths[1]), float(lengths[2])),
    )
    with tempfile.TemporaryDirectory() as folder:
        [series] = index_study(save(dataset, Path(folder) / "a")).series
        [volume] = read_volumes(series)
    assert isinstance(volume, Volume)
    return volume


def shown(volume: Volume, plane: Plane | None = None) -> list[tuple[bytes, tuple[int, ...]]]:
    found = [each.slice.pixels for each in views(volume, plane)]
    return [(pixels.tobytes(), pixels.shape) for pixels in found]


def centres(volume: Volume) -> Matrix:
    return np.array([each.centre for each in views(volume)])


ORDERS = st.sampled_from(list(itertools.permutations(range(3))))
FLIPS = st.tuples(st.booleans(), st.booleans(), st.booleans())
ANGLE = st.one_of(st.floats(-180.0, 180.0), st.sampled_from([0.0, 45.0, -45.0, 90.0, 180.0]))
ANGLES = st.tuples(ANGLE, ANGLE, ANGLE)


@settings(max_examples=40)
@given(ORDERS, FLIPS, ANGLES)
def test_a_nifti_volume_stored_with_any_axes_shows_the_same_slices(
    order: tuple[int, ...], flips: Flips, angles: Angles
) -> None:
    affine = rotation(angles) @ AFFINE
    first = of_nifti(drawn(), affine)
    second = of_nifti(*turned(drawn(), affine, order, flips))
    assert shown(first) == shown(second)
    assert np.abs(centres(first) - centres(second)).max() < 1e-3
    assert same_grid(first, second)


@settings(max_examples=25)
@given(FLIPS, st.booleans(), ANGLES, st.integers(0, 9))
def test_dicom_files_and_frames_in_any_order_show_the_same_slices(
    flips: Flips, transposed: bool, angles: Angles, shuffle: int
) -> None:
    affine = rotation(angles) @ AFFINE
    order = (0, 2, 1) if transposed else (0, 1, 2)
    first = of_dicom(drawn(), affine)
    stored = turned(drawn(), affine, order, flips)
    second = of_dicom(*stored, shuffle=shuffle)
    assert shown(first) == shown(second) == shown(of_nifti(drawn(), affine))
    assert shown(first) == shown(of_enhanced(*stored, shuffle=shuffle))
    assert np.abs(centres(first) - centres(second)).max() < 1e-3


@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True)])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
@pytest.mark.parametrize("angles", [(10.0, -25.0, 5.0), (95.0, 3.0, -8.0)])
def test_what_dcm2niix_makes_of_a_series_shows_the_same(
    tmp_path: Path, flips: Flips, order: tuple[int, ...], angles: Angles
) -> None:
    voxels = np.random.default_rng(0).integers(0, 4000, (5, 40, 36), dtype=np.int16)
    write_series(tmp_path / "in", *turned(voxels, rotation(angles) @ AFFINE, order, flips))
    words = ["-z", "n", "-o", str(tmp_path), str(tmp_path / "in")]
    subprocess.run([dcm2niix.bin, *words], capture_output=True, check=True)
    [path] = tmp_path.glob("*.nii")
    [theirs] = read_nifti(path)
    [ours] = read_volumes(index_study(tmp_path / "in").series[0])
    assert isinstance(ours, Volume)
    assert shown(ours) == shown(theirs)
    assert np.abs(centres(ours) - centres(theirs)).max() < 1e-3


def test_axial_slices_have_anterior_up_and_the_right_on_the_left() -> None:
    voxels = np.zeros((3, 5, 4), np.uint16)
    voxels[0, 0, :] = 100  # feet, anterior
    voxels[1, :, 0] = 100  # middle, patient's right
    [feet, middle, head] = views(of_nifti(*turned(voxels, AFFINE, (2, 0, 1), (True, False, True))))
    assert feet.slice.pixels[0].all()
    assert not feet.slice.pixels[1:].any()
    assert middle.slice.pixels[:, 0].all()
    assert not middle.slice.pixels[:, 1:].any()
    assert (feet.plane, feet.index, head.index) == ("axial", 0, 2)
    assert [feet.position, middle.position, head.position] == pytest.approx([3.0, 8.0, 13.0])
    assert feet.centre == pytest.approx((-7.0 + 1.5 * 1.5, -9.0 + 2 * 1.5, 3.0))


def test_other_planes_have_the_head_up_and_square_pixels() -> None:
    voxels = np.zeros((3, 5, 4), np.uint16)
    voxels[2] = 100  # head
    volume = of_nifti(voxels, AFFINE)
    cases: tuple[tuple[Plane, int], ...] = (("coronal", 4), ("sagittal", 5))
    for plane, width in cases:
        found = list(views(volume, plane))
        assert len(found) == (5 if plane == "coronal" else 4)
        pixels = found[0].slice.pixels
        assert pixels.shape == (10, width)
        assert pixels[0].all()
        assert not pixels[-1].any()
        assert found[0].slice.spacing == pytest.approx((1.5, 1.5))
        assert found[0].sop_instance_uid == ""
    voxels = np.zeros((3, 5, 4), np.uint16)
    voxels[:, 0] = 100  # anterior
    assert all(
        each.slice.pixels[:, 0].all() for each in views(of_nifti(voxels, AFFINE), "sagittal")
    )


def test_an_isotropic_volume_is_axial_whatever_its_axes() -> None:
    affine = AFFINE.copy()
    affine[2, 0] = 1.5
    for order in itertools.permutations(range(3)):
        volume = of_nifti(*turned(drawn(), affine, order, (False, False, False)))
        assert acquired_plane(volume) == "axial"


def test_only_regular_stacks_are_cut_along_other_planes(tmp_path: Path) -> None:
    paths = write_series(tmp_path, drawn(), AFFINE)
    paths[1].unlink()
    [volume] = read_volumes(index_study(tmp_path).series[0])
    assert [remark.code for remark in volume.remarks] == ["gap"]
    assert [each.position for each in views(volume)] == pytest.approx([3.0, 13.0, 18.0])
    with pytest.raises(InputError, match="even distances"):
        next(views(volume, "coronal"))
    with pytest.raises(UsageError, match="expected axial, coronal or sagittal"):
        next(views(volume, "transversal"))


def test_masks_are_shown_as_their_volumes() -> None:
    affine = AFFINE.copy()
    affine[1, 1] = 3.0
    voxels = np.where(drawn() > 2000, 1, 0).astype(np.uint8)
    volume = of_nifti(drawn(), affine)
    mask = of_nifti(*turned(voxels, affine, (1, 0, 2), (True, True, True)))
    assert same_grid(volume, mask)
    for picture, inside in zip(views(volume), mask_views(mask, "axial"), strict=True):
        assert picture.slice.pixels.shape == inside.shape == (14, 6)
    assert np.array_equal(inside[::2], voxels[-1] > 0)
    moved = affine.copy()
    moved[0, 3] += 1.0
    assert not same_grid(volume, of_nifti(voxels, moved))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (1, -1, 1), (-1, -1, -1)])
def test_directions_lead_from_the_centre_of_a_slice_to_each_of_its_pixels(
    plane: Plane, flips: tuple[int, int, int]
) -> None:
    affine = rotation((10.0, -20.0, 15.0)) @ np.diag([2.0, 2.0, 2.0, 1.0]) @ AFFINE_UNIT
    affine = affine @ np.diag([*flips, 1])
    values = np.zeros((9, 7, 6), np.uint16)
    values[5, 2, 4] = 1000
    volume = of_nifti(values, affine)
    right, down = (np.array(way) for way in directions(volume, plane))
    [shown] = [each for each in views(volume, plane) if each.slice.pixels.any()]
    row, column = np.argwhere(shown.slice.pixels == 255)[0]
    height, width = shown.slice.pixels.shape
    place = np.array(shown.centre) + 2.0 * (
        (row - (height - 1) / 2) * down + (column - (width - 1) / 2) * right
    )
    np.testing.assert_allclose(place, (affine @ [5, 2, 4, 1])[:3], atol=1e-3)
