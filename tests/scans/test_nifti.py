"""NIfTI as programs write it: byte order, scaling, orientation, several volumes, damage."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.dicom_files import Array, patch, write_nifti

from tumorscope.common.errors import UnreadableImageError
from tumorscope.scans import Volume, index_study, read_nifti, read_volumes, views

AFFINE = np.diag([5.0, 1.5, 1.5, 1.0])[[2, 1, 0, 3]]
SCL_SLOPE, SCL_INTER, QFORM, SFORM, DIM_INFO, SROW_X = 112, 116, 252, 254, 39, 280
"""Where elements lie in the header of NIfTI-1."""


def drawn(kind: str = "int16", shape: tuple[int, ...] = (4, 7, 6)) -> Array:
    return np.random.default_rng(0).integers(0, 100, shape).astype(kind)


def only(path: Path) -> Volume:
    [volume] = read_nifti(path)
    return volume


def codes(volume: Volume) -> list[str]:
    return [remark.code for remark in volume.remarks]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_values_survive(tmp_path: Path, order: str, two: bool, ending: str, kind: str) -> None:
    path = write_nifti(tmp_path / f"a{ending}", drawn(kind), AFFINE, order=order, two=two)
    volume = only(path)
    assert volume.voxels.dtype == kind
    assert volume.voxels.dtype.isnative
    assert np.array_equal(volume.voxels, drawn())
    assert volume.affine == pytest.approx(AFFINE)
    assert volume.spacing == pytest.approx((5.0, 1.5, 1.5))
    assert [origin.position for origin in volume.origins] == [
        pytest.approx((0.0, 0.0, 5.0 * index)) for index in range(4)
    ]
    assert codes(volume) == []


def test_a_pair_of_header_and_image(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(drawn().T, np.diag([-1.5, -1.5, 5.0, 1.0])), tmp_path / "a.img")
    assert np.array_equal(only(tmp_path / "a.hdr").voxels, drawn())
    [series] = index_study(tmp_path).series
    assert series.path.endswith("a.hdr")
    (tmp_path / "a.img").unlink()
    with pytest.raises(UnreadableImageError, match="cannot be opened"):
        only(tmp_path / "a.hdr")


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 7.0), (np.nan, 7.0), (1.0, 0.0)])
def test_a_slope_of_zero_or_no_number_is_no_scaling(
    tmp_path: Path, slope: float, intercept: float
) -> None:
    """SimpleITK applies the intercept all the same."""
    path = write_nifti(tmp_path / "a.nii", drawn(), AFFINE)
    volume = only(patch(path, SCL_SLOPE, "<2f", slope, intercept))
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels, drawn())


def test_scaling_is_applied(tmp_path: Path) -> None:
    path = patch(write_nifti(tmp_path / "a.nii", drawn(), AFFINE), SCL_SLOPE, "<2f", 0.5, -3.0)
    volume = only(path)
    assert volume.voxels.dtype == np.float32
    assert np.array_equal(volume.voxels, drawn() * 0.5 - 3.0)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), volume.voxels)


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (2, 1), (4, 1), (1, 0), (2, 0)])
def test_the_sform_counts_and_a_conflict_is_told(tmp_path: Path, sform: int, qform: int) -> None:
    """SimpleITK takes the qform where the codes are 2 or 4 and 1."""
    path = write_nifti(tmp_path / "a.nii", drawn(), AFFINE)
    patch(patch(path, QFORM, "<2h", qform, sform), SROW_X + 12, "<f", 40.0)
    volume = only(path)
    assert volume.affine[0, 3] == pytest.approx(-40.0)
    assert codes(volume) == (["form-conflict"] if qform else [])


@pytest.mark.parametrize(("unit", "scale"), [("meter", 1e-3), ("micron", 1e3)])
@pytest.mark.parametrize("form", ["sform", "qform", "both"])
def test_lengths_in_another_unit_are_converted(
    tmp_path: Path, unit: str, scale: float, form: str
) -> None:
    """nibabel hands them on as they are; what SimpleITK makes of it is the same."""
    image = nib.Nifti1Image(drawn().T, np.diag([-1.5, -1.5, 5.0, 1.0 / scale]) * scale)
    affine = image.affine
    image.set_qform(affine, int(form != "sform"))
    image.set_sform(affine, int(form != "qform"))
    image.header.set_xyzt_units(unit, "sec")
    nib.save(image, tmp_path / "a.nii")
    volume = only(tmp_path / "a.nii")
    assert volume.spacing == pytest.approx((5.0, 1.5, 1.5))
    assert volume.affine == pytest.approx(AFFINE)
    assert sitk.ReadImage(str(tmp_path / "a.nii")).GetSpacing() == pytest.approx((1.5, 1.5, 5.0))
    assert codes(volume) == ["units"]


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_a_unit_that_cannot_be_is_not_believed(tmp_path: Path, unit: str) -> None:
    image = nib.Nifti1Image(drawn().T, np.diag([-1.5, -1.5, 5.0, 1.0]))
    image.header.set_xyzt_units(unit, "sec")
    nib.save(image, tmp_path / "a.nii")
    volume = only(tmp_path / "a.nii")
    assert volume.spacing == pytest.approx((5.0, 1.5, 1.5))
    [remark] = [each for each in volume.remarks if each.code == "units"]
    assert "taken for mm, as voxels would have sides of" in remark.detail


def test_the_qform_counts_where_there_is_no_sform(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", drawn(), AFFINE)
    patch(patch(path, QFORM, "<2h", 1, 0), SROW_X + 12, "<f", 40.0)
    assert only(path).affine == pytest.approx(AFFINE)


def test_without_either_the_orientation_is_said_to_be_assumed(tmp_path: Path) -> None:
    path = patch(write_nifti(tmp_path / "a.nii", drawn(), AFFINE), QFORM, "<2h", 0, 0)
    assert codes(only(path)) == ["no-orientation"]


def test_a_sheared_sform_is_taken_as_it_is(tmp_path: Path) -> None:
    """SimpleITK refuses it, or takes the qform in silence."""
    path = patch(write_nifti(tmp_path / "a.nii", drawn(), AFFINE), SROW_X + 8, "<f", 2.0)
    patch(path, QFORM, "<2h", 0, 1)
    volume = only(path)
    assert codes(volume) == ["tilt"]
    assert not volume.regular
    assert len(list(views(volume))) == 4


def test_several_volumes_come_one_after_the_other(tmp_path: Path) -> None:
    values = drawn(shape=(3, 4, 7, 6))
    for name in ("a.nii", "a.nii.gz"):
        parts = list(read_nifti(write_nifti(tmp_path / name, values, AFFINE)))
        assert [part.part for part in parts] == [(1, 3), (2, 3), (3, 3)]
        assert all(np.array_equal(part.voxels, values[i]) for i, part in enumerate(parts))
        assert next(views(parts[1])).slice.source.endswith("#2-axial-1")


@pytest.mark.parametrize("shape", [(7, 6), (1, 7, 6), (7, 1, 6)])
def test_one_slice(tmp_path: Path, shape: tuple[int, ...]) -> None:
    volume = only(write_nifti(tmp_path / "a.nii", drawn(shape=shape), AFFINE))
    assert volume.voxels.shape == (1, 7, 6)
    assert np.array_equal(volume.voxels.ravel(), drawn(shape=shape).ravel())
    assert len(list(views(volume))) == 1


def test_the_header_may_name_the_slice_axis(tmp_path: Path) -> None:
    affine = np.diag([1.5, 1.5, 1.5, 1.0])[[2, 1, 0, 3]]
    path = write_nifti(tmp_path / "a.nii", drawn(), affine)
    assert next(views(only(path))).plane == "axial"
    patch(path, DIM_INFO, "<B", 1 << 4)  # the first axis, from 1
    assert next(views(only(path))).plane == "sagittal"


def test_values_that_are_no_numbers_are_zero_and_told(tmp_path: Path) -> None:
    values = drawn("float32")
    values[0, 0, :3] = np.nan, np.inf, -np.inf
    volume = only(write_nifti(tmp_path / "a.nii", values, AFFINE))
    assert np.isfinite(volume.voxels).all()
    assert not volume.voxels[0, 0, :3].any()
    assert codes(volume) == ["not-finite"]


def test_what_is_no_volume_of_greys(tmp_path: Path) -> None:
    colour = np.zeros((7, 6, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    cases = {
        "in colour": colour,
        "complex values": np.zeros((7, 6, 4), np.complex64),
        "several parts": np.zeros((7, 6, 4, 1, 3), np.float32),
    }
    for words, data in cases.items():
        nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii")
        with pytest.raises(UnreadableImageError, match=words):
            only(tmp_path / "a.nii")


def test_damaged_files(tmp_path: Path) -> None:
    whole = write_nifti(tmp_path / "whole.nii.gz", drawn(), AFFINE).read_bytes()
    plain = gzip.decompress(whole)
    cases = {
        "empty.nii": b"",
        "text.nii": b"I am no volume." * 40,
        "short.nii": plain[:-10],
        "header.nii": plain[:200],
        "short.nii.gz": whole[:-30],
        "half.nii.gz": gzip.compress(plain[:400]),
        "not.nii.gz": plain,
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnreadableImageError, match=f"Cannot read .*{name}: .+ again"):
            only(tmp_path / name)
    (tmp_path / "whole.nii.gz").unlink()
    for series in index_study(tmp_path).series:
        assert [found.reason for found in read_volumes(series)] == ["damaged"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.one_of(st.just(0), st.integers(0, 800)),
    changes=st.lists(st.tuples(st.integers(0, 380), st.integers(0, 255)), max_size=4),
    packed=st.booleans(),
)
def test_damaged_files_never_crash(
    tmp_path: Path, cut: int, changes: list[tuple[int, int]], packed: bool
) -> None:
    data = bytearray(write_nifti(tmp_path / "a.nii", drawn(), AFFINE).read_bytes())
    for place, value in changes:
        data[place] = value
    data = data[: len(data) - cut]
    path = tmp_path / ("b.nii.gz" if packed else "b.nii")
    path.write_bytes(gzip.compress(data) if packed else data)
    with contextlib.suppress(UnreadableImageError):
        for volume in itertools.islice(read_nifti(path), 3):
            assert np.isfinite(volume.voxels).all()
            assert len(list(views(volume))) == len(volume.origins)


def test_a_header_that_promises_too_much_is_refused_unread(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", drawn(), AFFINE)
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(UnreadableImageError, match="larger than what is decoded"):
        only(path)


def test_an_affine_that_is_none(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", drawn(), AFFINE)
    patch(path, SROW_X, "<4f", 0.0, 0.0, 0.0, 0.0)
    with pytest.raises(UnreadableImageError, match="onto a plane"):
        only(path)


def test_a_volume_is_held_once(tmp_path: Path) -> None:
    """Large ones, or many bits, must not need the memory of several."""
    values = np.random.default_rng(0).integers(0, 3000, (40, 100, 100), dtype=np.int16)
    path = patch(write_nifti(tmp_path / "a.nii", values, np.eye(4)), 112, "<ff", 0.5, 3.0)
    list(read_nifti(path))  # what is imported and cached does not count
    tracemalloc.start()
    try:
        [volume] = read_nifti(path)
        list(views(volume, every=10.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert volume.voxels.dtype == np.float32
    assert peak < 1.6 * volume.voxels.nbytes + 3_000_000


def test_of_values_of_64_bits_that_would_be_too_large_32_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).normal(0, 1000, (3, 4, 5))
    path = write_nifti(tmp_path / "a.nii", values, np.eye(4))
    monkeypatch.setattr("tumorscope.scans.limits.MAX_BYTES", 8 * 3 * 4 * 5)
    [exact] = read_nifti(path)
    assert exact.voxels.dtype == np.float64
    monkeypatch.setattr("tumorscope.scans.limits.MAX_BYTES", 8 * 3 * 4 * 5 - 1)
    [volume] = read_nifti(path)
    assert np.array_equal(volume.voxels, exact.voxels.astype(np.float32))


@pytest.mark.parametrize("scale", [1e-5, 1e5, 1e30])
def test_voxels_that_no_scanner_makes(tmp_path: Path, scale: float) -> None:
    path = write_nifti(
        tmp_path / "a.nii", np.zeros((2, 3, 4), np.uint8), np.diag([scale] * 3 + [1])
    )
    with pytest.raises(UnreadableImageError, match="does not say where its slices lie"):
        next(read_nifti(path))


def test_what_cannot_be_opened_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loop.nii").symlink_to("loop.nii")
    write_nifti(tmp_path / "shut.nii", np.zeros((2, 3, 4), np.uint8), np.eye(4))
    (tmp_path / "shut.nrrd").write_bytes(b"NRRD0004\n")
    opened = Path.open

    def shut(self: Path, mode: str = "r") -> object:  # root may open everything
        if self.stem == "shut":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, mode)

    monkeypatch.setattr(Path, "open", shut)
    found = [one for series in index_study(tmp_path).series for one in read_volumes(series)]
    assert [(each.reason, each.detail) for each in found if not isinstance(each, Volume)] == [
        ("cannot-open", "Too many levels of symbolic links"),
        ("cannot-open", "Permission denied"),
        ("cannot-open", "Permission denied"),
    ]


@pytest.mark.parametrize("qform", [0, 1])
@pytest.mark.parametrize("two", [False, True])
def test_voxels_without_a_size_are_refused(tmp_path: Path, qform: int, two: bool) -> None:
    """nibabel takes 1 mm for it, and slices of 5 mm would be looked at as if 1 mm apart."""
    volume = nib.Nifti2Image if two else nib.Nifti1Image
    image = volume(drawn().T, np.diag([-1.5, -1.5, 5.0, 1.0]))
    image.set_sform(None, 0)
    image.set_qform(image.affine, qform)
    nib.save(image, tmp_path / "a.nii")
    pixdim, number = (104, "<d") if two else (76, "<f")
    width = 8 if two else 4
    patch(tmp_path / "a.nii", pixdim + 3 * width, number, 0.0)
    with pytest.raises(UnreadableImageError, match="states no size of its voxels"):
        only(tmp_path / "a.nii")


def test_no_size_across_a_single_slice_is_none_needed(tmp_path: Path) -> None:
    image = nib.Nifti1Image(drawn(shape=(1, 7, 6)).T, np.diag([-1.5, -1.5, 5.0, 1.0]))
    image.set_sform(None, 0)
    image.set_qform(image.affine, 1)
    nib.save(image, tmp_path / "a.nii")
    assert only(patch(tmp_path / "a.nii", 76 + 3 * 4, "<f", 0.0)).spacing[1:] == (1.5, 1.5)


def test_values_do_not_begin_within_the_header(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", drawn(), AFFINE)
    with pytest.raises(UnreadableImageError, match="begin at byte 0, within its header"):
        only(patch(path, 108, "<f", 0.0))
