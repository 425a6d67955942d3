"""Every field of the ONNX schema that tumorscope does not write is refused, wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tumorscope
from tumorscope.model_file import allowed
from tumorscope.model_file.allowed import NotAllowedError, check_allowed
from tumorscope.model_file.onnx_fields import OPERATORS
from tumorscope.model_file.onnx_file import without_metadata
from tumorscope.model_file.protobuf import WireError

onnx = pytest.importorskip("onnx", reason="needs the train extra")

Proto = Any  # onnx ships no types


@pytest.fixture
def proto(tiny_model: Path) -> Proto:
    return onnx.load_from_string(without_metadata(tiny_model.read_bytes()))


def tensor() -> Proto:
    return onnx.numpy_helper.from_array(onnx.numpy_helper.np.zeros(1, "float32"), "t")


def test_what_tumorscope_writes_is_allowed(tiny_model: Path) -> None:
    check_allowed(tiny_model.read_bytes())


def test_every_operator_that_our_code_names_is_allowed() -> None:
    source = Path(tumorscope.__file__).parent
    named = set[str]()
    for room in ("networks", "conversion"):
        for path in (source / room).rglob("*.py"):
            calls = re.findall(r'\b(?:make_node|node)\(\s*"([A-Z]\w+)"', path.read_text())
            named.update(calls)
    assert len(named) > 20
    assert named <= OPERATORS
    assert {
        "HardSwish",
        "AveragePool",
        "MaxPool",
        "DequantizeLinear",
        "QuantizeLinear",
    } <= OPERATORS


CHANGES: dict[str, Callable[[Proto], object]] = {
    "training": lambda p: p.training_info.add(),
    "functions": lambda p: p.functions.add(name="f"),
    "foreign set": lambda p: p.opset_import.add(domain="com.acme", version=1),
    "sparse": lambda p: p.graph.sparse_initializer.add(),
    "quantisation": lambda p: p.graph.quantization_annotation.add(),
    "operator": lambda p: setattr(p.graph.node[0], "op_type", "Loop"),
    "domain": lambda p: setattr(p.graph.node[0], "domain", "com.acme"),
    "overload": lambda p: setattr(p.graph.node[0], "overload", "x"),
    "subgraph": lambda p: p.graph.node[0].attribute.add(name="body", type=5).g.node.add(),
    "subgraphs": lambda p: p.graph.node[0].attribute.add(name="body", type=10).graphs.add(),
    "tensor": lambda p: p.graph.node[0].attribute.add(name="v", type=4).t.CopyFrom(tensor()),
    "tensors": lambda p: p.graph.node[0].attribute.add(name="v", type=9).tensors.add(),
    "sparse attribute": lambda p: (
        p.graph.node[0].attribute.add(type=11).sparse_tensor.dims.append(1)
    ),
    "strings": lambda p: p.graph.node[0].attribute.add(name="v", type=8).strings.append(b"x"),
    "reference": lambda p: p.graph.node[0].attribute.add(name="v", type=2, ref_attr_name="w"),
    "kind of attribute": lambda p: setattr(p.graph.node[0].attribute[0], "type", 13),
    "external": lambda p: p.graph.initializer[0].external_data.add(key="location", value="x"),
    "location": lambda p: setattr(p.graph.initializer[0], "data_location", 1),
    "segment": lambda p: setattr(p.graph.initializer[0].segment, "begin", 1),
    "strings in a tensor": lambda p: p.graph.initializer[0].string_data.append(b"x"),
    "kind of tensor": lambda p: setattr(p.graph.initializer[0], "data_type", 8),
    "larger than its data": lambda p: p.graph.initializer[0].dims.append(1 << 40),
    "sequence": lambda p: p.graph.input[0].type.sequence_type.elem_type.tensor_type.shape.dim.add(),
    "long name": lambda p: setattr(p.graph.node[0], "name", "x" * 2000),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_it_does_not_write_is_refused(proto: Proto, change: str) -> None:
    CHANGES[change](proto)
    with pytest.raises(NotAllowedError):
        check_allowed(proto.SerializeToString())


def test_a_tensor_of_numbers_one_by_one_counts_them(proto: Proto) -> None:
    values = onnx.helper.make_tensor("v", onnx.TensorProto.FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0])
    proto.graph.initializer.append(values)
    check_allowed(proto.SerializeToString())
    proto.graph.initializer[-1].dims[0] = 1000
    with pytest.raises(NotAllowedError, match="larger than its data"):
        check_allowed(proto.SerializeToString())


def test_a_field_that_comes_twice_is_refused(proto: Proto) -> None:
    """Readers of protobuf would merge the two, and see what was not checked."""
    data = proto.SerializeToString()
    with pytest.raises(WireError, match="does not belong"):
        check_allowed(data + onnx.ModelProto(graph=proto.graph).SerializeToString())


def test_many_parts_are_refused(proto: Proto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowed, "MOST_MESSAGES", 20)
    with pytest.raises(NotAllowedError, match="more than 20 parts"):
        check_allowed(proto.SerializeToString())
