"""NRRD as 3D Slicer and ITK write it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from tests.fixtures.dicom_files import Array, write_nifti

from tumorscope.common.errors import UnreadableImageError
from tumorscope.scans import Volume, index_study, read_nifti, read_volumes, same_grid, views


def drawn(kind: str = "int16") -> Array:
    return np.random.default_rng(0).integers(0, 100, (4, 7, 6)).astype(kind)


def written(path: Path, values: Array, *, packed: bool = False) -> Path:
    picture = sitk.GetImageFromArray(values)
    picture.SetSpacing((1.5, 1.5, 5.0))
    picture.SetOrigin((-7.0, -9.0, 3.0))
    picture.SetDirection((0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(picture, str(path), useCompression=packed)
    return path


def only(path: Path) -> Volume:
    [volume] = read_nifti(path)
    return volume


@pytest.mark.parametrize(
    "kind", ["uint8", "int8", "int16", "uint16", "int32", "float32", "float64"]
)
@pytest.mark.parametrize("ending", ["nrrd", "nhdr"])
@pytest.mark.parametrize("packed", [False, True])
def test_values_and_places_survive(tmp_path: Path, kind: str, ending: str, packed: bool) -> None:
    volume = only(written(tmp_path / f"a.{ending}", drawn(kind), packed=packed))
    assert volume.voxels.dtype == kind
    assert np.array_equal(volume.voxels, drawn(kind))
    assert volume.affine @ (1, 2, 3, 1) == pytest.approx(
        [-7 + 3 * 1.2 - 2 * 0.9, -9 + 3 * 0.9 + 2 * 1.2, 8.0, 1.0]
    )
    assert volume.remarks == ()


def test_it_shows_what_the_same_nifti_shows(tmp_path: Path) -> None:
    volume = only(written(tmp_path / "a.nrrd", drawn()))
    other = only(write_nifti(tmp_path / "a.nii", drawn(), volume.affine))
    assert same_grid(volume, other)
    for one, two in zip(views(volume), views(other), strict=True):
        assert np.array_equal(one.slice.pixels, two.slice.pixels)
    assert [Path(each.path).name for each in index_study(tmp_path).series] == ["a.nii", "a.nrrd"]


@pytest.mark.parametrize(
    ("space", "signs"), [("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1))]
)
@pytest.mark.parametrize("endian", ["little", "big"])
def test_spaces_and_byte_orders(
    tmp_path: Path, space: str, signs: tuple[int, int, int], endian: str
) -> None:
    values = drawn("uint16")
    header = "\n".join(
        [
            "NRRD0004",
            "# a comment: with a colon",
            "type: unsigned short",
            "dimension: 3",
            f"space: {space}",
            "sizes: 6 7 4",
            "space directions: (1,0,0) (0,2,0) (0,0,3)",
            f"endian: {endian}",
            "encoding: gzip",
            "space origin: (10,20,30)",
            "a key:=and: its value",
        ]
    )
    data = gzip.compress(values.astype(f"{'>' if endian == 'big' else '<'}u2").tobytes())
    (tmp_path / "a.nrrd").write_bytes(header.encode() + b"\n\n" + data)
    volume = only(tmp_path / "a.nrrd")
    # One sign turned makes the stack run the other way along its normal.
    turned = space != "RAS"
    assert np.array_equal(volume.voxels[::-1] if turned else volume.voxels, values)
    corner = volume.affine @ (3 if turned else 0, 0, 0, 1)
    assert corner[:3] == pytest.approx(np.array([10, 20, 30]) * signs)


@pytest.mark.parametrize(
    ("units", "scale", "told"),
    [
        ('"mm" "mm" "mm"', 1.0, []),
        ('"cm" "cm" "cm"', 10.0, ["units"]),
        ('"microns" "microns" "microns"', 1.0, ["units"]),  # which would be 0.005 mm
        ('"m" "m" "m"', 1.0, ["units"]),  # and 5 m
        ('"furlong" "furlong" "furlong"', 1.0, []),
    ],
)
def test_lengths_in_another_unit_are_converted(
    tmp_path: Path, units: str, scale: float, told: list[str]
) -> None:
    plain = written(tmp_path / "a.nrrd", drawn())
    expected = only(plain).affine
    text = plain.read_bytes().replace(b"\nsizes:", f"\nspace units: {units}\nsizes:".encode())
    (tmp_path / "b.nrrd").write_bytes(text)
    volume = only(tmp_path / "b.nrrd")
    assert volume.affine[:3] == pytest.approx(scale * expected[:3])
    assert [remark.code for remark in volume.remarks] == told


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("dimension: 3", "dimension: 4", "its sizes are"),
        ("sizes: 6 7 4", "sizes: 6 7 5", "bytes of a volume"),
        ("sizes: 6 7 4", "sizes: 9000 9000 9000", "larger than what is decoded"),
        ("sizes: 6 7 4", "sizes: 6 7 0", "sizes are 6 7 0"),
        ("encoding: raw", "encoding: ascii", "encoding ascii"),
        ("type: short", "type: block", "values of type block"),
        ("endian: little", "endian: middle", "order of bytes"),
        ("space: left-posterior-superior", "space: scanner-xyz", "no space of a patient"),
        ("encoding: raw", "encoding: raw\ndata file: ../a.raw", "its values lie in"),
        ("encoding: raw", "encoding: raw\ndata file: LIST", "its values lie in"),
        ("encoding: raw", "encoding: raw\ndata file: none.raw", "cannot be opened"),
        ("encoding: raw", "encoding: raw\nbyte skip: -1", "do not begin"),
        ("NRRD000", "NRRX000", "does not begin as NRRD"),
        ("sizes: ", "size: ", "damaged"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = written(tmp_path / "a.nrrd", drawn())
    data = path.read_bytes()
    assert data.count(old.encode()) == 1
    path.write_bytes(data.replace(old.encode(), new.encode()))
    with pytest.raises(UnreadableImageError, match=words):
        only(path)
    [series] = index_study(path).series
    assert len(list(read_volumes(series))) == 1


def test_cut_anywhere_it_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nrrd", drawn())
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 7):
        path.write_bytes(data[:end])
        with pytest.raises(UnreadableImageError):
            only(path)
