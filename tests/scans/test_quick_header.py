"""The short way to a header finds what pydicom finds, or leaves the file to it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.dicom_files import image, save, write_series
from tests.fixtures.volumes import AFFINE, head

from tumorscope.scans import index_study
from tumorscope.scans.classic import TAGS
from tumorscope.scans.dicom_file import _at_pixels, _dataset, _syntax_of, numbers_of, silent
from tumorscope.scans.quick_header import quick_header
from tumorscope.scans.values import text

if TYPE_CHECKING:
    from pydicom import Dataset

pydicom = pytest.importorskip("pydicom", reason="needs the dicom extra")

Found = tuple[dict[int, object], str, int]


def quickly(data: bytes) -> Found | None:
    with silent():
        found = quick_header(data, _at_pixels, numbers_of(TAGS))
    if found is None:
        return None
    return elements(found[0]), found[1], found[2]


def by_pydicom(data: bytes) -> Found:
    memory = io.BytesIO(data)
    dataset = _dataset(memory, TAGS)
    return elements(dataset), _syntax_of(dataset).strip(" \0"), memory.tell()


def elements(dataset: Dataset) -> dict[int, object]:
    found: dict[int, object] = {
        int(tag): (element.VR, element.value if element.is_raw else str(element.value))
        for tag, element in dataset.items()
        if tag != 0x00080005  # the character set, which is converted by then, or not
    }
    return {**found, 0: text(dataset, "SeriesDescription")}


def test_files_of_many_kinds() -> None:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    quick = 0
    for path in sorted(folder.glob("*.dcm")):
        data = path.read_bytes()
        found = quickly(data)
        if found is not None:
            quick += 1
            assert found == by_pydicom(data), path.name
    assert quick > 30


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    dataset = image(np.zeros((4, 4), np.int16), number=1, spacing=(1.0, 1.0))
    return save(dataset, tmp_path_factory.mktemp("quick") / "a.dcm").read_bytes()


@given(st.data())
def test_changed_bytes(ordinary: bytes, data: st.DataObject) -> None:
    changed = bytearray(ordinary)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(128, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(120, len(changed)))])
    try:
        found = quickly(cut)
    except Exception:
        return  # and pydicom is asked
    if found is not None:
        assert found == by_pydicom(cut)


def test_headers_that_agree_share_their_layout_and_others_do_not(tmp_path: Path) -> None:
    values = head(1)[0]
    write_series(tmp_path / "1", values, AFFINE, series=1)
    write_series(tmp_path / "2", values, AFFINE, series=2, EchoTime="99")
    one, other = index_study(tmp_path).series
    assert len({id(frame.layout) for frame in one.frames}) == 1
    assert {frame.layout.acquisition.echo_time for frame in other.frames} == {99.0}
    assert one.frames[0].layout.acquisition.echo_time != 99.0
