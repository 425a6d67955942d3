"""Headers as they come: whatever a source says of patient and study, its results can be read."""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import Phase, given, reject, settings
from hypothesis import strategies as st
from tests.serving.test_dicom_results import AFFINE, WHOLE, bytes_of, voxels

import tumorscope as ts

pydicom = pytest.importorskip("pydicom", reason="needs the dicom extra")
highdicom = pytest.importorskip("highdicom", reason="needs the dicom extra")

from pydicom import Dataset  # noqa: E402
from tests.fixtures.dicom_files import image, save, write_series  # noqa: E402

from tumorscope.scans.dicom_file import silent  # noqa: E402
from tumorscope.serving.dicom_results import results_of  # noqa: E402
from tumorscope.serving.header_values import (  # noqa: E402
    COPIED,
    EMPTY_WHERE_MISSING,
    value_of,
)

ODD = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "\\", "a\\b", "x" * 70, "é", "^^^^^^", "20260231", "256161", "n/a"]),
    st.text(max_size=12),
    st.binary(max_size=12),
)
NAMES = [each for each in (*EMPTY_WHERE_MISSING, *COPIED) if "Sequence" not in each]
CHARSETS = st.sampled_from([None, "", "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "GB18030", "x"])
NUMBERS = ("SeriesNumber", "SliceThickness", "AcquisitionDate", "ContentTime", "InstanceNumber")


@pytest.fixture(scope="module")
def detector(series_model: Path) -> ts.Detector:
    return ts.Detector.load(series_model, threads=1, check_seen=False)


def raw(dataset: Dataset, name: str, value: object) -> None:
    """Set an element as a file may have it, without a check."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    if value is None:
        dataset.pop(name, None)
        return
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    data += b" " * (len(data) % 2)
    tag = Tag(tag_for_keyword(name))
    kind = dictionary_VR(tag)
    dataset[tag] = RawDataElement(tag, kind, len(data), data, 0, False, True)


@given(st.dictionaries(st.sampled_from([*NAMES, *NUMBERS]), ODD, max_size=8), CHARSETS)
@settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_whatever_a_header_says_results_can_be_read(
    detector: ts.Detector, said: dict[str, object], charset: str | None
) -> None:
    made = image(voxels()[8], **WHOLE)
    raw(made, "SpecificCharacterSet", charset)
    for name, value in said.items():
        raw(made, name, value)
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                save(made, Path(folder, "a.dcm"))
            except (IndexError, TypeError):  # pydicom cannot write it, a scanner can
                reject()
        results = results_of(detector.detect_series(folder), detector.metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of identifiers that are too long in the source
        report, capture = (pydicom.dcmread(io.BytesIO(bytes_of(each))) for each in results)
        for each in (report, capture):
            str(each)  # decodes every value
    for each in (report, capture):
        assert each.StudyInstanceUID == made.StudyInstanceUID
        for name in EMPTY_WHERE_MISSING:
            assert name in each
    assert highdicom.sr.Comprehensive3DSR.from_dataset(report).content is not None


@pytest.mark.parametrize(
    ("name", "said", "kept"),
    [
        ("PatientID", "x" * 70, "x" * 70),  # archives find patients by it
        ("PatientID", "a\\b", "a\\b"),
        ("PatientName", "Doe\x1b^\x00J", "Doe^J"),
        ("PatientName", "山田\u3000太郎", "山田\u3000太郎"),
        ("PatientAge", "34", ""),
        ("PatientIdentityRemoved", "yes", ""),
        ("PatientWeight", "n/a", ""),
        ("PatientWeight", "70.50", "70.5"),
        ("StudyDate", "20260231", ""),
        ("StudyTime", "256161", ""),
        ("StudyTime", "10", "10"),
        ("FrameOfReferenceUID", "1.2.x", ""),
        ("InstanceNumber", "nan", ""),
        ("InstanceNumber", "17", 17),
    ],
)
def test_a_value_is_kept_or_as_good_as_absent(name: str, said: str, kept: object) -> None:
    header = Dataset()
    header.set_original_encoding(False, True, ["utf_8"])
    header.SpecificCharacterSet = "ISO_IR 192"
    raw(header, name, said)
    with silent():
        assert value_of(header, name) == kept


def test_a_kind_of_a_vendor_is_named_as_it_is(detector: ts.Detector, tmp_path: Path) -> None:
    own = "1.3.12.2.1107.5.9.1"
    write_series(tmp_path, voxels((), 6), AFFINE, **{**WHOLE, "SOPClassUID": own})
    report, capture = results_of(detector.detect_series(tmp_path), detector.metadata)
    evidence = highdicom.sr.Comprehensive3DSR.from_dataset(report).get_evidence()
    assert {each[3] for each in evidence} == {own}
    assert {each.ReferencedSOPClassUID for each in capture.SourceImageSequence} == {own}
