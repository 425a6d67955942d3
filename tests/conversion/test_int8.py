"""Only the backbone is rounded; what follows it, and so the sum of the evidence, stays exact."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tumorscope.common.errors import InputError
from tumorscope.conversion import int8
from tumorscope.model_file.onnx_file import ModelFile


@pytest.mark.parametrize("head", ["pooled", "flatten", "dense"])
def test_the_backbone_is_its_convolutions_and_their_activations(
    small_models: dict[str, ModelFile], head: str
) -> None:
    model = int8._load(small_models[head].graph)
    body = int8.backbone_nodes(model)
    kinds = [node.op_type for node in model.graph.node if node.name in body]
    # Five of each; the convolution that makes the evidence has one output channel.
    assert kinds == ["Conv", "Relu"] * 5


def test_a_graph_without_convolutions_is_refused() -> None:
    graph = onnx.load_from_string(_identity())
    assert int8.backbone_nodes(graph) == []
    with pytest.raises(InputError, match="no convolutions"):
        next(int8.ways(_identity(), np.zeros((1, 8, 8), np.uint8)))


def _identity() -> bytes:
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["pixels"], ["logit"])],
        "none",
        [tensor("pixels", onnx.TensorProto.FLOAT, [1])],
        [tensor("logit", onnx.TensorProto.FLOAT, [1])],
    )
    return onnx.helper.make_model(graph).SerializeToString()
