"""Model files: what was written is read back, and everything else is refused in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import InputError, OutputError
from tumorscope.model_file.onnx_file import (
    HASH_KEY,
    KEY,
    ModelFile,
    graph_hash,
    metadata_text,
    parse_metadata,
    read_model,
    without_metadata,
    write_model,
)
from tumorscope.model_file.protobuf import parts_of


@pytest.fixture(scope="session")
def model(tiny_model: Path) -> ModelFile:
    return read_model(tiny_model)


def stated(document: object) -> tuple[str, str]:
    text = json.dumps(document)
    return text, hashlib.sha256(text.encode()).hexdigest()


def edited(model: ModelFile, change: Callable[[dict[str, object]], object]) -> tuple[str, str]:
    document = json.loads(metadata_text(model.metadata)[0])
    change(document)
    return stated(document)


def test_what_was_written_is_read_back(model: ModelFile, tmp_path: Path) -> None:
    written = write_model(tmp_path / "again.onnx", model.graph, model.metadata)
    read = read_model(tmp_path / "again.onnx")
    assert read == written
    assert read.metadata == model.metadata
    assert read.graph == model.graph  # old metadata is replaced, not added to
    assert read.metadata.id == f"tiny@{graph_hash(model.graph)[:12]}"


def test_onnx_reads_the_metadata_too(tiny_model: Path, model: ModelFile) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    found = {each.key: each.value for each in onnx.load(tiny_model).metadata_props}
    assert found.keys() == {KEY, HASH_KEY}
    assert parse_metadata(tiny_model, found[KEY], found[HASH_KEY]) == model.metadata


@given(st.data())
def test_a_truncated_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, model: ModelFile, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(model.graph) - 1))
    path = tmp_path_factory.getbasetemp() / "short.onnx"
    path.write_bytes(model.graph[:length])
    with pytest.raises(InputError, match="Cannot use"):
        read_model(path)


@given(st.data())
def test_a_changed_byte_is_refused(
    tmp_path_factory: pytest.TempPathFactory, model: ModelFile, data: st.DataObject
) -> None:
    """Anywhere at all: in the graph, beside it, in the metadata, in the hashes."""
    place = data.draw(st.integers(0, len(model.graph) - 1))
    changed = bytearray(model.graph)
    changed[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(changed)
    with pytest.raises(InputError, match="Cannot use"):
        read_model(path)


def test_weights_of_another_model_are_refused(model: ModelFile, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    proto = onnx.load_from_string(model.graph)
    kernel = next(each for each in proto.graph.initializer if each.name == "kernel")
    kernel.CopyFrom(onnx.numpy_helper.from_array(2 * onnx.numpy_helper.to_array(kernel), "kernel"))
    onnx.save(proto, tmp_path / "tampered.onnx")
    with pytest.raises(InputError, match=r"SHA-256.*changed"):
        read_model(tmp_path / "tampered.onnx")


def test_an_older_operator_set_is_refused(model: ModelFile, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    proto = onnx.load_from_string(model.graph)
    proto.opset_import[0].version = 13
    onnx.save(proto, tmp_path / "older.onnx")
    with pytest.raises(InputError, match="SHA-256"):
        read_model(tmp_path / "older.onnx")


def test_a_foreign_classifier_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Softmax", ["data"], ["classes"])],
        "imagenet",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 1000])],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, [1, 1000])],
    )
    onnx.save(helper.make_model(graph), tmp_path / "imagenet.onnx")
    with pytest.raises(InputError, match="without tumorscope's metadata"):
        read_model(tmp_path / "imagenet.onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda proto: proto.opset_import.add(domain="com.acme", version=1), r"com\.acme"),
        (lambda proto: proto.functions.add(name="f", domain="com.acme"), "functions of its own"),
    ],
)
def test_custom_operators_are_refused(
    model: ModelFile, tmp_path: Path, change: Callable[[object], object], message: str
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    proto = onnx.load_from_string(model.graph)
    change(proto)
    write_model(tmp_path / "custom.onnx", proto.SerializeToString(), model.metadata)
    with pytest.raises(InputError, match=message):
        read_model(tmp_path / "custom.onnx")


@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph"])
def test_weights_in_another_file_are_refused(model: ModelFile, tmp_path: Path, where: str) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    proto = onnx.load_from_string(model.graph)
    secret = onnx.TensorProto(name="secret", data_type=onnx.TensorProto.FLOAT, dims=[1])
    secret.data_location = onnx.TensorProto.EXTERNAL
    secret.external_data.add(key="location", value="../../etc/passwd")
    if where == "initializer":
        proto.graph.initializer.append(secret)
    else:
        value: object = secret
        if where == "subgraph":
            value = onnx.helper.make_graph([], "inner", [], [], initializer=[secret])
        proto.graph.node[0].attribute.append(onnx.helper.make_attribute("value", value))
    write_model(tmp_path / "outside.onnx", proto.SerializeToString(), model.metadata)
    with pytest.raises(InputError, match="another file"):
        read_model(tmp_path / "outside.onnx")


def test_two_graphs_are_refused(model: ModelFile, tmp_path: Path) -> None:
    """Protobuf readers merge repeated graphs; a reader that hashes one of them would not see."""
    begin, end = parts_of(model.graph).graph or (0, 0)
    second = b"\x3a" + model.graph[begin - 2 : begin] + model.graph[begin:end]
    (tmp_path / "two.onnx").write_bytes(model.graph + second)
    with pytest.raises(InputError, match="Cannot use"):
        read_model(tmp_path / "two.onnx")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_version_is_refused(model: ModelFile, version: object) -> None:
    text, digest = edited(model, lambda document: document.update(schema_version=version))
    with pytest.raises(InputError, match="schema version"):
        parse_metadata(model.path, text, digest)


@pytest.mark.parametrize(
    "key", ["name", "graph_sha256", "preprocessing", "operating_points", "grid", "recipe", "data"]
)
def test_a_missing_key_is_refused_by_name(model: ModelFile, key: str) -> None:
    text, digest = edited(model, lambda document: document.pop(key))
    with pytest.raises(InputError, match=rf"{key}: Field required"):
        parse_metadata(model.path, text, digest)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"invented": 1}, "invented"),
        ({"name": "a/b"}, "name"),
        ({"name": ""}, "name"),
        ({"notice": "For diagnosis."}, "notice"),
        ({"classes": ["no tumour", "cyst"]}, "classes"),
        ({"operating_points": {"mine": {"threshold": 0.5, "policy": "x"}}}, "balanced"),
        ({"operating_points": {"balanced": {"threshold": 1.5, "policy": "x"}}}, "threshold"),
        ({"conformal": {"miscoverage": 0}}, "miscoverage"),
        ({"calibration": {"slope": -1.0}}, "slope"),
        ({"seen": {"version": 1, "packing": "sixths", "count": 5, "data": ""}}, "do not fill"),
        (
            {"seen": {"version": 2, "packing": "bytes", "count": 9_000_000, "data": ""}},
            "more than are read",
        ),
        ({"seen": {"count": 9_000_000, "data": ""}}, "do not fill"),
        ({"grid": [7, 100_000]}, "grid"),
        ({"grid": [0, 7]}, "grid"),
        ({"seen": {"version": 99, "count": 0, "data": ""}}, "version 99"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(
    model: ModelFile, changes: dict[str, object], message: str
) -> None:
    text, digest = edited(model, lambda document: document.update(changes))
    with pytest.raises(InputError, match=message):
        parse_metadata(model.path, text, digest)


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "null", "3", "[" * 100_000, '{"a": NaN}', r'{"a": "\ud800"}']
)
def test_metadata_that_is_no_object_is_refused(text: str) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    with pytest.raises(InputError, match="Cannot use"):
        parse_metadata(Path("m.onnx"), text, digest)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(99), b"hello", bytes(64)])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(InputError, match="Cannot use"):
        read_model(tmp_path / "model.onnx")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_model(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"is a folder without a model\.onnx"):
        read_model(tmp_path)


def test_a_place_that_cannot_be_written_is_an_output_error(
    model: ModelFile, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        write_model(tmp_path / "file" / "model.onnx", model.graph, model.metadata)


def test_metadata_is_all_that_is_taken_out(model: ModelFile) -> None:
    bare = without_metadata(model.graph)
    assert parts_of(bare).metadata == {}
    assert parts_of(bare).graph is not None
    assert without_metadata(bare) == bare
    assert graph_hash(bare) == graph_hash(model.graph) == model.metadata.graph_sha256
