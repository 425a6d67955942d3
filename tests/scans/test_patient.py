"""A patient's code is the same in all series, and holds nothing of the header."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fixtures.dicom_files import write_nifti, write_series
from tests.fixtures.volumes import AFFINE, head

from tumorscope.scans import index_study, patient_code

pytest.importorskip("nibabel", reason="needs the dicom extra")

VALUES = head(0)[0][:2]


def code(folder: Path, series: int, **person: object) -> str:
    write_series(folder / str(series), VALUES, AFFINE, series=series, **person)
    [found] = index_study(folder / str(series)).series
    return patient_code(found)


def test_codes(tmp_path: Path) -> None:
    one = code(tmp_path, 1, PatientID="A-1")
    assert one == code(tmp_path, 2, PatientID="a-1", PatientName="Other^Spelling")
    assert one != code(tmp_path, 3, PatientID="A-2")
    assert one != code(tmp_path, 4, PatientID="A-1", IssuerOfPatientID="elsewhere")
    assert len(one) == 13
    named = code(tmp_path, 5, PatientName="Doe^Jane", PatientBirthDate="19700101")
    assert named not in (
        one,
        code(tmp_path, 6, PatientName="Doe^Jane", PatientBirthDate="19710101"),
    )
    assert code(tmp_path, 7, PatientName=None) == ""


def test_nifti_names_nobody(tmp_path: Path) -> None:
    [series] = index_study(write_nifti(tmp_path / "a.nii", VALUES, AFFINE)).series
    assert patient_code(series) == ""
