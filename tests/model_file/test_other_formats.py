"""Model files of other engines: they carry the same metadata, and every change is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tumorscope.common.errors import InputError
from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.other_formats import SUFFIXES, read_any, seal_litert, seal_openvino
from tumorscope.model_file.schema import Metadata

XML = b"""<?xml version="1.0"?>
<net name="tiny" version="11">
<layers><layer id="0" name="pixels"><rt_info><attribute value="1" /></rt_info></layer></layers>
<edges></edges>
<rt_info>
\t<info name="OpenVINO Runtime" value="1" />
</rt_info>
</net>
"""
BIN = bytes(range(256))
TFLITE = b"\x1c\x00\x00\x00TFL3" + bytes(range(200))


@pytest.fixture
def metadata(tiny_model: Path) -> Metadata:
    """With every character that XML minds."""
    return read_model(tiny_model).metadata.model_copy(
        update={"card": 'a < b & "c" > \'d\' — ü\n\ttab ]]> &quot; <tumorscope value="x" />\n'}
    )


@pytest.fixture
def openvino(tmp_path: Path, metadata: Metadata) -> Path:
    sealed, _ = seal_openvino(XML, BIN, metadata)
    (tmp_path / "m.xml").write_bytes(sealed)
    (tmp_path / "m.bin").write_bytes(BIN)
    return tmp_path / "m.xml"


@pytest.fixture
def litert(tmp_path: Path, metadata: Metadata) -> Path:
    (tmp_path / "m.tflite").write_bytes(seal_litert(TFLITE, metadata)[0])
    return tmp_path / "m.tflite"


def test_openvino_files_carry_the_metadata(openvino: Path, metadata: Metadata) -> None:
    model = read_any(openvino)
    _, stored = seal_openvino(XML, BIN, metadata)
    assert model.metadata == stored
    assert model.metadata.card == metadata.card
    assert model.metadata.graph_sha256 != metadata.graph_sha256
    assert (model.graph, model.weights) == (openvino.read_bytes(), BIN)
    assert read_any(openvino.with_suffix(".bin")).path == openvino


def test_a_topology_without_information_of_its_own_is_sealed_too(
    tmp_path: Path, metadata: Metadata
) -> None:
    bare = XML[: XML.rfind(b"<rt_info>")] + b"</net>\n"
    (tmp_path / "m.xml").write_bytes(seal_openvino(bare, BIN, metadata)[0])
    (tmp_path / "m.bin").write_bytes(BIN)
    assert read_any(tmp_path / "m.xml").metadata.card == metadata.card


def test_litert_files_carry_the_metadata(litert: Path, metadata: Metadata) -> None:
    model = read_any(litert)
    data, stored = seal_litert(TFLITE, metadata)
    assert model.metadata == stored
    assert model.graph == litert.read_bytes() == data
    assert model.graph.startswith(TFLITE)
    assert model.weights == b""


def test_any_other_ending_is_read_as_onnx(tiny_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "model.bak"
    other.write_bytes(tiny_model.read_bytes())
    assert read_any(other).metadata == read_any(str(tiny_model)).metadata
    assert {tiny_model.suffix, ".xml", ".tflite"} == SUFFIXES


def test_sealing_twice_or_half_a_file_is_refused(metadata: Metadata) -> None:
    sealed, _ = seal_openvino(XML, BIN, metadata)
    for wrong in (sealed, XML[:-10]):
        with pytest.raises(ValueError, match="Expected a bare one"):
            seal_openvino(wrong, BIN, metadata)


# The file is written anew in every example, so it does not matter that the fixture stays.
ANEW = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@ANEW
@given(data=st.data())
def test_every_changed_byte_of_an_xml_or_bin_is_refused(
    openvino: Path, metadata: Metadata, data: st.DataObject
) -> None:
    whole = seal_openvino(XML, BIN, metadata)[0]
    path, content = data.draw(
        st.sampled_from([(openvino, whole), (openvino.with_suffix(".bin"), BIN)])
    )
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        path.write_bytes(changed)
        with pytest.raises(InputError):
            read_any(openvino)
    finally:
        path.write_bytes(content)


@ANEW
@given(data=st.data())
def test_every_changed_byte_of_a_flatbuffer_is_refused(
    litert: Path, metadata: Metadata, data: st.DataObject
) -> None:
    changed = bytearray(seal_litert(TFLITE, metadata)[0])
    changed[data.draw(st.integers(0, len(TFLITE) - 1))] ^= data.draw(st.integers(1, 255))
    litert.write_bytes(changed)
    with pytest.raises(InputError):
        read_any(litert)


@ANEW
@given(data=st.data())
def test_a_changed_archive_is_refused_or_means_the_same(
    litert: Path, metadata: Metadata, data: st.DataObject
) -> None:
    """Dates and the like in the archive may change; what is read from it may not."""
    content, stored = seal_litert(TFLITE, metadata)
    changed = bytearray(content)
    changed[data.draw(st.integers(len(TFLITE), len(content) - 1))] ^= data.draw(st.integers(1, 255))
    litert.write_bytes(changed)
    try:
        assert read_any(litert).metadata == stored
    except InputError:
        return


@pytest.mark.parametrize("ending", [".xml", ".tflite"])
@ANEW
@given(share=st.floats(0.0, 0.999))
def test_truncated_files_are_refused(
    openvino: Path, litert: Path, metadata: Metadata, ending: str, share: float
) -> None:
    whole = {
        ".xml": seal_openvino(XML, BIN, metadata)[0].rstrip(),
        ".tflite": seal_litert(TFLITE, metadata)[0],
    }[ending]
    path = openvino.with_suffix(ending)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match="Cannot use"):
        read_any(path)


def test_files_of_others_are_refused_in_words(tmp_path: Path, openvino: Path) -> None:
    (tmp_path / "other.xml").write_bytes(XML)
    (tmp_path / "other.bin").write_bytes(BIN)
    with pytest.raises(InputError, match="--to openvino"):
        read_any(tmp_path / "other.xml")
    (tmp_path / "other.tflite").write_bytes(TFLITE)
    with pytest.raises(InputError, match="--to litert"):
        read_any(tmp_path / "other.tflite")
    (tmp_path / "page.xml").write_text("<html></html>")
    with pytest.raises(InputError, match="not a whole OpenVINO topology"):
        read_any(tmp_path / "page.xml")
    (tmp_path / "text.tflite").write_text("not a model at all")
    with pytest.raises(InputError, match="TensorFlow Lite"):
        read_any(tmp_path / "text.tflite")
    openvino.with_suffix(".bin").unlink()
    with pytest.raises(InputError, match=r"m\.bin"):
        read_any(openvino)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("tumorscope.json", b" " * ((1 << 26) + 1))
        members.writestr("tumorscope_sha256.txt", b"0" * 64)
    (tmp_path / "bomb.tflite").write_bytes(TFLITE + archive.getvalue())
    with pytest.raises(InputError, match="without tumorscope's metadata"):
        read_any(tmp_path / "bomb.tflite")
