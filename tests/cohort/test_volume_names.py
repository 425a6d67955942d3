"""Paths of volumes tell sequence, patient and mask, and never more than they say."""

from __future__ import annotations

import pytest

from tumorscope.cohort.volume_names import (
    keys_of_masks,
    mask_of,
    patients_of,
    sequence_of_name,
    stem_of,
)


@pytest.mark.parametrize(
    ("path", "sequence"),
    [
        ("BraTS_001/BraTS_001_t1ce.nii.gz", "T1c"),
        ("BraTS-GLI-00000-000-t1c.nii.gz", "T1c"),
        ("BraTS-GLI-00000-000-t1n.nii.gz", "T1"),
        ("BraTS-GLI-00000-000-t2f.nii.gz", ""),
        ("sub-01/anat/sub-01_T2w.nii.gz", "T2"),
        ("sub-01_FLAIR.nii", "FLAIR"),
        ("nichart_Subj1_FL.nii.gz", "FLAIR"),
        ("ct1.nii", ""),
    ],
)
def test_sequences(path: str, sequence: str) -> None:
    assert sequence_of_name(path) == sequence


def test_stems_lose_endings_of_volumes_alone() -> None:
    assert [stem_of(name) for name in ("a.b.nii", "a.NII.GZ", "IM0001", "1.2.840")] == [
        "a.b",
        "a",
        "IM0001",
        "1.2.840",
    ]


def test_two_sequences_of_a_patient_are_one_patient() -> None:
    paths = ["x_t1.nii", "x_t2.nii", "y_flair.nii", "sub-1/anat/sub-1_T1w.nii", "HGG_7/a.nii"]
    assert list(patients_of(paths, {}).values()) == ["x", "x", "y", "sub-1", "HGG_7"]


def test_masks_by_usual_names() -> None:
    paths = ["a_t1.nii", "a_seg.nii", "P1/mask.nii", "masks/b.nii", "b.nii"]
    keys = keys_of_masks(paths, None)
    assert keys == {"a_seg.nii": "a", "P1/mask.nii": "", "masks/b.nii": "b"}
    assert mask_of("a_t1.nii", keys) == ["a_seg.nii"]
    assert mask_of("P1/dicom/IM1", keys) == ["P1/mask.nii"]
    assert mask_of("P2/dicom/IM1", keys) == []
    assert mask_of("b.nii", keys) == ["masks/b.nii"]
    assert mask_of("ab_t1.nii", keys) == []


def test_a_mask_of_another_patient_never_fits() -> None:
    keys = {"P1/t1_mask.nii": "t1", "masks/P2/t1.nii": "t1"}
    assert mask_of("P1/t1.nii", keys) == ["P1/t1_mask.nii"]
    assert mask_of("P2/t1.nii", keys) == ["masks/P2/t1.nii"]
    assert mask_of("P3/t1.nii", keys) == []


def test_masks_by_a_pattern_and_those_that_fit_equally() -> None:
    keys = keys_of_masks(["truth/a.nii", "x/a.nii"], "truth/*.nii")
    assert mask_of("x/a.nii", keys) == []
    assert mask_of("a.nii", keys, named=["truth"]) == ["truth/a.nii"]
    both = {"a_seg.nii": "a", "a_mask.nii": "a"}
    assert mask_of("a_t1.nii", both) == ["a_seg.nii", "a_mask.nii"]
