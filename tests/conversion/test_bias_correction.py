"""The means of rounded maps are those of the unrounded ones."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from tests.fixtures.heads_of_models import pictures

from tumorscope.conversion import int8
from tumorscope.model_file.onnx_file import ModelFile


def means(graph: bytes, name: str) -> np.ndarray:
    """The mean of each channel of what a node makes, over images and places."""
    probe = int8._load(graph)
    output = next(node.output[0] for node in probe.graph.node if node.name == name)
    number = onnx.TensorProto.FLOAT
    probe.graph.output.append(onnx.helper.make_tensor_value_info(output, number, None))
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run([output], {"pixels": pictures(8)})[0].mean(axis=(0, 2, 3))


def test_the_first_map_keeps_its_means(
    small_models: dict[str, ModelFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = small_models["pooled"].graph
    first = int8.backbone_nodes(int8._load(graph))[0]
    before = means(graph, first)
    corrected = int8.quantise(graph, pictures(8))
    monkeypatch.setattr(int8, "correct_biases", lambda *_: None)
    plain = int8.quantise(graph, pictures(8))
    ours, others = (np.abs(means(each, first) - before).mean() for each in (corrected, plain))
    assert ours < 0.5 * others
