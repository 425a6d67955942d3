"""Volumes become slices with labels that were measured, groups, masks and a manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.fixtures.dicom_files import write_nifti, write_series
from tests.fixtures.volumes import AFFINE, SHAPE, head, write_heads

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.slices import slices
from tumorscope.common.errors import InputError, UsageError
from tumorscope.imaging.read import read_slice

pytest.importorskip("nibabel", reason="needs the dicom extra")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_heads(tmp_path_factory.mktemp("heads"), tumours=2, healthy=2)


def test_slices_have_the_label_of_their_lesion_and_its_mask(heads: Path, tmp_path: Path) -> None:
    made = slices(heads, output=tmp_path / "s", source="drawn")
    assert made.volumes == 4
    assert made.volumes_left_out == {}
    assert set(made.left_out) <= {"no-head", "small-lesion"}
    loaded = Manifest.load(tmp_path / "s" / "manifest.csv")
    loaded.check_files()
    assert not loaded.audited
    assert {row.group for row in loaded.rows} == {"P0", "P1", "H0", "H1"}
    for row in loaded.rows:
        picture = read_slice(loaded.file(row)).pixels
        assert picture.shape == (row.height, row.width) == SHAPE[1:]
        assert (row.source, row.extra["sequence"], row.extra["plane"]) == ("drawn", "T1", "axial")
        assert row.path.startswith(("no/", "yes/")[row.label])
        mask = loaded.mask_file(row)
        assert (mask is not None) == bool(row.label)
        if mask is not None:
            inside = read_slice(mask).pixels > 127
            assert picture[inside].min() > picture[~inside].max()
            assert float(row.extra["lesion_area"]) == inside.sum() * 16.0
    volumes = {row.extra["volume"] for row in loaded.rows}
    assert "P0/P0_t1.nii.gz" in volumes


def test_the_area_decides_and_what_lies_between_is_counted(heads: Path, tmp_path: Path) -> None:
    every = slices(heads, output=tmp_path / "all", min_area=0.0)
    large = slices(heads, output=tmp_path / "large", min_area=1000.0)
    areas = [float(row.extra["lesion_area"]) for row in every.manifest.rows if row.label]
    assert "small-lesion" not in every.left_out
    assert large.left_out["small-lesion"] == sum(area < 1000.0 for area in areas) > 0
    assert sum(large.manifest.labels) == sum(area >= 1000.0 for area in areas)


def test_distance_planes_and_square_pixels(heads: Path, tmp_path: Path) -> None:
    made = slices(heads, output=tmp_path / "s", every=12.0, planes=("axial", "coronal"))
    places: dict[tuple[str, str], list[float]] = {}
    for row in made.manifest.rows:
        key = (row.extra["volume"], row.extra["plane"])
        places.setdefault(key, []).append(float(row.extra["position"]))
    assert {plane for _, plane in places} == {"axial", "coronal"}
    assert all(np.diff(sorted(each)).min() >= 12.0 - 1e-6 for each in places.values())
    coronal = next(row for row in made.manifest.rows if row.extra["plane"] == "coronal")
    assert (coronal.height, coronal.width) == (30, 48)
    assert coronal.extra["spacing"] == "4"


def test_the_same_again_changes_nothing_and_goes_on(heads: Path, tmp_path: Path) -> None:
    folder, place = tmp_path / "v", tmp_path / "s"
    write_heads(folder, tumours=1, healthy=1)
    slices(folder, output=place)
    manifest = place / "manifest.csv"
    edited = manifest.read_text().replace(",H0,", ",H0 edited,")
    manifest.write_text(edited)
    assert "H0 edited" in slices(folder, output=place).manifest.groups
    assert manifest.read_text() == edited
    manifest.unlink()
    journal = place / "slices.jsonl"
    journal.write_text(journal.read_text()[:-30])  # killed while it wrote
    first = next(place.glob("*/*/*.png"))
    first.unlink()
    again = slices(folder, output=place)
    again.manifest.check_files()
    assert again.volumes == 2
    write_nifti(folder / "no" / "H9_t1.nii.gz", head(9)[0], AFFINE)
    assert slices(folder, output=place).volumes == 3


def test_other_options_and_other_folders_are_refused(heads: Path, tmp_path: Path) -> None:
    slices(heads, output=tmp_path / "s", every=12.0)
    with pytest.raises(UsageError, match=r"other options \(every\)"):
        slices(heads, output=tmp_path / "s", every=6.0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="something else"):
        slices(heads, output=tmp_path / "mine")
    with pytest.raises(UsageError, match="among the volumes"):
        slices(heads, output=heads / "slices")
    with pytest.raises(UsageError, match="fits none"):
        slices(heads, output=tmp_path / "t", masks="*_lesion.nii")
    with pytest.raises(UsageError, match="millimetres above 0"):
        slices(heads, output=tmp_path / "t", every=0.0)
    with pytest.raises(UsageError, match="plane"):
        slices(heads, output=tmp_path / "t", planes=("oblique",))
    with pytest.raises(UsageError, match="least area"):
        slices(heads, output=tmp_path / "t", min_area=-1.0)
    assert not (tmp_path / "t").exists()


def test_volumes_of_which_nothing_is_known_are_left_out(tmp_path: Path) -> None:
    values, mask = head(0, lesion=22.0)
    folder = tmp_path / "v"
    write_nifti(folder / "unknown_t1.nii.gz", values, AFFINE)
    with pytest.raises(InputError, match="no-mask: 1"):
        slices(folder, output=tmp_path / "s")
    shifted = AFFINE.copy()
    shifted[0, 3] += 8.0
    write_nifti(folder / "shifted_t1.nii.gz", values, AFFINE)
    write_nifti(folder / "shifted_seg.nii.gz", mask, shifted)
    write_nifti(folder / "no" / "said_t1.nii.gz", values, AFFINE)
    write_nifti(folder / "no" / "said_seg.nii.gz", mask, AFFINE)
    write_nifti(folder / "torn_t1.nii.gz", values, AFFINE)
    (folder / "torn_seg.nii.gz").write_bytes(b"\x1f\x8b")
    made = slices(folder, output=tmp_path / "s", tumour_free=["unknown_*"])
    assert made.volumes == 1
    assert made.volumes_left_out == {
        "contradiction": 1,
        "other-grid": 1,
        "mask-unreadable": 1,
    }


def test_masks_stored_the_other_way_round_still_fit(tmp_path: Path) -> None:
    values, mask = head(0, lesion=22.0)
    flipped = AFFINE @ np.diag([1.0, -1.0, 1.0, 1.0])
    flipped[:3, 3] = (AFFINE @ [0, SHAPE[1] - 1, 0, 1])[:3]
    write_nifti(tmp_path / "a" / "x_t1.nii.gz", values, AFFINE)
    write_nifti(tmp_path / "a" / "x_seg.nii.gz", mask[:, ::-1], flipped)
    write_nifti(tmp_path / "b" / "x_t1.nii.gz", values, AFFINE)
    write_nifti(tmp_path / "b" / "x_seg.nii.gz", mask, AFFINE)
    one, other = (slices(tmp_path / each, output=tmp_path / f"s{each}") for each in "ab")
    hashes = [
        [
            hashlib.sha256((made.manifest.root / row.mask).read_bytes()).hexdigest()
            for row in made.manifest.rows
            if row.mask
        ]
        for made in (one, other)
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0]


def test_patients_of_dicom_are_codes_and_no_name_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "no"
    for number in (1, 2, 3):
        person = {"PatientID": "SECRET-7" if number < 3 else "SECRET-8"}
        values = head(number)[0]
        write_series(
            folder / str(number),
            values,
            AFFINE,
            series=number,
            SeriesDescription="SECRET words",
            **person,
        )
    made = slices(tmp_path, output=tmp_path.with_name(f"{tmp_path.name}-s"), tumour_free=["no/*"])
    groups = [row.group for row in made.manifest.rows]
    assert len(set(groups)) == 2
    assert all(group.startswith("p") and len(group) == 13 for group in groups)
    place = made.manifest.root
    written = "".join(map(str, place.rglob("*")))
    written += (place / "manifest.csv").read_text() + (place / "slices.jsonl").read_text()
    assert "SECRET" not in written
    assert "Nobody" not in written
    document = json.loads(json.dumps(made.to_json()))
    assert document["groups"] == 2
    assert document["tumours"] == 0


def test_a_rule_names_patients(heads: Path, tmp_path: Path) -> None:
    made = slices(heads, output=tmp_path / "s", group_from="([PH])[0-9]")
    assert {row.group for row in made.manifest.rows} == {"P", "H"}


def test_the_first_of_many_time_points(tmp_path: Path) -> None:
    values = head(0)[0]
    write_nifti(tmp_path / "v" / "no" / "bold.nii.gz", np.stack([values] * 9), AFFINE)
    write_nifti(tmp_path / "v" / "no" / "four.nii.gz", np.stack([values, values + 50]), AFFINE)
    made = slices(tmp_path / "v", output=tmp_path / "s", every=30.0)
    volumes = {row.extra["volume"] for row in made.manifest.rows}
    assert volumes == {"no/bold.nii.gz#1", "no/four.nii.gz#1", "no/four.nii.gz#2"}
    assert [(each.reason, each.images) for each in made.not_read] == [("repeat", 8 * SHAPE[0])]


def test_slices_are_those_that_detection_sees(heads: Path, tmp_path: Path) -> None:
    from tumorscope.scans import read_nifti, views

    made = slices(heads, output=tmp_path / "s")
    shown = {scan.index: scan for scan in views(next(read_nifti(heads / "P0" / "P0_t1.nii.gz")))}
    mine = [row for row in made.manifest.rows if row.extra["volume"].startswith("P0/")]
    for row in mine:
        scan = shown[int(row.path.rsplit("-", 1)[1].removesuffix(".png")) - 1]
        stored = cv2.imread(str(made.manifest.root / row.path), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(stored, scan.slice.pixels)
        assert float(row.extra["position"]) == pytest.approx(scan.position, abs=0.01)
