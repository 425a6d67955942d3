"""Every backbone can be written as TensorFlow Lite, and answers there as in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.fixtures.heads_of_models import make, pictures

from tumorscope.common.errors import InputError
from tumorscope.conversion.litert import write_litert
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile, write_model
from tumorscope.model_file.other_formats import read_any


# Between them they have every kind of layer that backbones are made of.
@pytest.mark.parametrize(
    "backbone",
    [
        "alexnet",
        pytest.param("densenet201", marks=pytest.mark.slow),
        "efficientnet_v2_b0",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "resnet18",
    ],
)
def test_a_backbone_answers_as_in_onnx(tmp_path: Path, backbone: str) -> None:
    model = make(tmp_path / "model.onnx", "pooled", backbone)
    write_litert(model, tmp_path / "model.tflite")
    pixels = pictures(6)
    before = open_engine(model).run(pixels)
    after = open_engine(read_any(tmp_path / "model.tflite")).run(pixels)
    for name in ("probability", "logit", "evidence", "bias", "distance"):
        ours, theirs = getattr(after, name), getattr(before, name)
        # Random layers make all pictures alike, and the rest of a distance is rounding.
        near = 1e-3 if name == "distance" else 1e-4 * np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=near)


def test_an_operator_of_others_is_refused(
    small_models: dict[str, ModelFile], tmp_path: Path
) -> None:
    model = small_models["pooled"]
    graph = onnx.load_from_string(model.graph)
    next(node for node in graph.graph.node if node.op_type == "Sigmoid").op_type = "Softsign"
    other = write_model(tmp_path / "other.onnx", graph.SerializeToString(), model.metadata)
    with pytest.raises(InputError, match="Softsign"):
        write_litert(other, tmp_path / "other.tflite")
    assert not (tmp_path / "other.tflite").exists()
