"""DICOM segmentations beside their series become masks; others are said, not used."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.dicom_files import STUDY, enhanced, save, write_nifti, write_series
from tests.fixtures.segmentations import plates, segmentation
from tests.fixtures.volumes import AFFINE, SHAPE, head

from tumorscope.cohort.slices import Slicing, slices
from tumorscope.common.errors import UsageError
from tumorscope.imaging.read import read_slice

NUMBERS = itertools.count()


def study(folder: Path, number: int, **elements: str) -> np.ndarray:
    """Write a series; return where its lesion is."""
    values, mask = head(number, lesion=22.0)
    space = {"FrameOfReferenceUID": f"{STUDY}.77.{number}"}
    person = {"PatientID": f"SECRET-{number}"}
    write_series(folder / f"{number}", values, AFFINE, series=number, **person, **space, **elements)
    return mask


def cut(folder: Path, **options: object) -> Slicing:
    output = folder.with_name(f"{folder.name}-slices{next(NUMBERS)}")
    return slices(folder, output=output, every=12.0, **options)


def write_segmentation(path: Path, frames: np.ndarray, number: int, **options: object) -> Path:
    where = plates(AFFINE, SHAPE[0])
    given = {"series": f"{STUDY}.{number}", "SOPInstanceUID": f"{STUDY}.66.{number}"}
    if len(frames) == 2 * len(where):
        where, given["numbers"] = where * 2, [1] * len(where) + [2] * len(where)  # type: ignore[assignment]
    return save(segmentation(frames, where, **{**given, **options}), path)


def lesion_of(made: Slicing) -> dict[float, np.ndarray]:
    files = {
        float(row.extra["position"]): made.manifest.mask_file(row) for row in made.manifest.rows
    }
    return {place: read_slice(file).pixels > 127 for place, file in files.items() if file}


def test_a_segmentation_is_the_mask_of_the_series_that_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    mask = study(folder, 1)
    study(folder, 2)
    write_segmentation(folder / "seg", mask, 1)
    write_nifti(folder / "nifti" / "a_t1.nii.gz", head(1)[0], AFFINE)
    write_nifti(folder / "nifti" / "a_seg.nii.gz", mask, AFFINE)
    made = cut(folder)
    assert made.volumes == 2
    assert made.volumes_left_out == {"no-mask": 1}
    assert made.not_read == ()
    rows = made.manifest.rows
    mine = {row.extra["position"]: row.label for row in rows if row.extra["volume"][0] != "n"}
    others = {row.extra["position"]: row.label for row in rows if row.extra["volume"][0] == "n"}
    assert mine == others
    assert set(mine.values()) == {0, 1}
    assert "SECRET" not in (made.manifest.root / "manifest.csv").read_text()


def test_what_belongs_to_no_series_or_is_damaged_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    mask = study(folder / "no", 1)
    write_segmentation(folder / "a", mask, 5)
    torn = write_segmentation(folder / "b", mask, 1, SOPInstanceUID=f"{STUDY}.66.9")
    torn.write_bytes(torn.read_bytes()[:-100])
    made = cut(folder)
    assert [(each.reason, Path(each.path).name) for each in made.not_read] == [
        ("segmentation", "a"),
        ("damaged", "b"),
    ]
    assert "what was segmented is not among the volumes" in made.not_read[0].sentence()
    assert not any(row.label for row in made.manifest.rows)


def test_a_series_that_is_called_free_of_tumours_must_not_have_a_lesion(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    write_segmentation(folder / "no" / "a", study(folder / "no", 1), 1)
    study(folder / "no", 2)
    assert cut(folder).volumes_left_out == {"contradiction": 1}


def test_segments_and_several_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "v"
    mask = study(folder, 1)
    both = np.concatenate([mask, np.ones_like(mask)])
    write_segmentation(folder / "seg", both, 1, labels=("Lesion of Jane", "Head"))
    everywhere = cut(folder)
    assert all(each.all() for each in lesion_of(everywhere).values())
    said = capsys.readouterr().err
    assert "1 segmentation holds several segments (1 kind of Lesion of Jane, 2 kind" in said
    chosen = lesion_of(cut(folder, segments=["1"]))
    assert {
        len(each) for each in (chosen, lesion_of(cut(folder, segments=["lesion of jane"])))
    } == {len(chosen)}
    assert 0 < sum(map(np.count_nonzero, chosen.values())) < SHAPE[1] * SHAPE[2] * len(chosen)
    assert "several segments" not in capsys.readouterr().err
    study(folder / "no", 2)
    assert cut(folder, segments=["3"]).volumes_left_out == {"no-segment": 1}
    write_segmentation(folder / "other", mask, 1, SOPInstanceUID=f"{STUDY}.66.2")
    assert cut(folder).volumes_left_out == {"several-masks": 1}
    made = cut(folder, masks="oth*")
    assert made.volumes_left_out == {}
    assert [Path(each.path).name for each in made.not_read] == ["seg"]
    with pytest.raises(UsageError, match="fits none of the 2 files"):
        cut(folder, masks="*.nii.gz")


def test_one_that_names_nothing_belongs_to_what_shares_its_space(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    mask = study(folder, 1)
    study(folder, 2)
    space = {"FrameOfReferenceUID": f"{STUDY}.77.1"}
    write_segmentation(folder / "seg", mask, 1, series=None, **space)
    made = cut(folder, tumour_free=["2/*"])
    assert (made.volumes, sum(row.label for row in made.manifest.rows) > 0) == (2, True)
    moved = AFFINE.copy()
    moved[0, 3] += 1.0
    where = plates(moved, SHAPE[0])
    save(segmentation(mask, where, series=None, **space), folder / "seg")
    assert cut(folder, tumour_free=["2/*"]).volumes_left_out == {"other-grid": 1}


def test_of_an_enhanced_file(tmp_path: Path) -> None:
    values, mask = head(3, lesion=22.0)
    places = [where[0] for where in plates(AFFINE, SHAPE[0])]
    dataset = enhanced(values[::-1], places[::-1], spacing=(4.0, 4.0))
    save(dataset, tmp_path / "v" / "a")
    sources = [dataset.SOPInstanceUID] * len(mask)
    write_segmentation(tmp_path / "v" / "seg", mask, 9, series=None, sources=sources)
    made = cut(tmp_path / "v")
    assert made.volumes == 1
    found = lesion_of(made)
    assert found
    for place, inside in found.items():
        assert np.array_equal(inside, mask[round((place + 57) / 6)] > 0)


def test_values_of_a_nifti_mask_are_chosen_by_number(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    values, mask = head(0, lesion=22.0)
    labels = np.where(mask > 0, 4, 1).astype(np.uint8)
    write_nifti(folder / "a_t1.nii.gz", values, AFFINE)
    write_nifti(folder / "a_seg.nii.gz", labels, AFFINE)
    found = lesion_of(cut(folder, segments=["4"]))
    assert found
    for place, inside in found.items():
        assert np.array_equal(inside, mask[round((place + 57) / 6)] > 0)
    write_nifti(folder / "no" / "b_t1.nii.gz", values, AFFINE)
    assert cut(folder, segments=["core"]).volumes_left_out == {"no-segment": 1}
