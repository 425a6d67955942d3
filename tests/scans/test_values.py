"""Header values of another type than the standard gives them: as far as possible, or absent."""

from __future__ import annotations

import pytest

pytest.importorskip("pydicom", reason="needs the dicom extra")

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from tumorscope.scans.values import number, numbers, text, words

KINDS = ("US", "SS", "UL", "SL", "FL", "FD", "UI", "CS", "DS", "LO", "PN", "OB", "SQ", "UN", "AT")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"\1\0\2\0\3\0\4\0", b"1.5\\ab", b"\xff" * 16])
@pytest.mark.parametrize("name", ["SOPClassUID", "Modality", "PixelSpacing", "SeriesDescription"])
def test_values_of_any_kind_are_read_or_absent(kind: str, data: bytes, name: str) -> None:
    tag = Tag(name)
    dataset = Dataset()
    dataset[tag] = RawDataElement(tag, kind, len(data), data, 0, False, True)
    assert isinstance(text(dataset, name), str)
    assert all(isinstance(each, str) for each in words(dataset, name))
    assert all(isinstance(each, float) for each in numbers(dataset, name))
    assert number(dataset, name) is None or isinstance(number(dataset, name), float)


def test_numbers_where_a_text_belongs() -> None:
    dataset, tag = Dataset(), Tag("SOPClassUID")
    dataset[tag] = RawDataElement(tag, "US", 4, b"\1\0\2\0", 0, False, True)
    assert text(dataset, tag) == "1\\2"
