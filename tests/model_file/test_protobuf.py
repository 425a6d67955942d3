"""The protobuf walker agrees with protobuf, and never runs away on garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.model_file.protobuf import WireError, fields, parts_of


@given(st.binary(max_size=300))
def test_garbage_ends_or_is_refused(data: bytes) -> None:
    try:
        spans = [(begin, end) for _, _, begin, end in fields(data, 0, len(data))]
    except WireError:
        return
    assert all(0 <= begin <= end <= len(data) for begin, end in spans)
    assert spans == sorted(spans)


@given(
    st.dictionaries(st.text(max_size=20), st.text(max_size=300), max_size=4),
    st.sets(st.sampled_from(["", "ai.onnx", "ai.onnx.ml", "com.acme"]), min_size=1),
)
def test_it_finds_what_onnx_wrote(metadata: dict[str, str], domains: set[str]) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    graph = onnx.helper.make_graph([], "g", [], [])
    proto = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid(domain, 1) for domain in sorted(domains)]
    )
    onnx.helper.set_model_props(proto, metadata)
    data = proto.SerializeToString()
    parts = parts_of(data)
    assert parts.metadata == metadata
    assert parts.domains == domains
    assert parts.graph is not None
    assert data[slice(*parts.graph)] == graph.SerializeToString()
    assert not parts.functions


def test_a_number_that_never_ends_is_refused() -> None:
    with pytest.raises(WireError, match="does not end"):
        list(fields(b"\x80" * 40, 0, 40))
