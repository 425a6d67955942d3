"""Every kind of layer in our backbones answers in TensorFlow Lite as in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.fixtures.heads_of_models import make, pictures

from tumorscope.common.errors import InputError
from tumorscope.conversion import int8
from tumorscope.conversion.litert import write_litert
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile, write_model
from tumorscope.model_file.other_formats import read_any
from tumorscope.networks.backbones import registry


def every_kind(size: int) -> object:
    """A small network with the layers of AlexNet, DenseNet, EfficientNet, Inception, MobileNets."""
    import keras

    layers = keras.layers
    image = keras.Input((size, size, 3))
    tensor = layers.ZeroPadding2D(2)(image)
    tensor = layers.Conv2D(12, 5, strides=2, activation="relu")(tensor)
    tensor = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(tensor))
    # Normalised before a convolution, as in DenseNet, and joined with what came before.
    branch = layers.ReLU()(layers.BatchNormalization()(tensor))
    branch = layers.Conv2D(12, 3, padding="same", use_bias=False)(branch)
    tensor = layers.Concatenate()([tensor, branch, layers.AveragePooling2D(3, 1, "same")(tensor)])
    # Squeeze and excitation, as in EfficientNet and MobileNetV3.
    gate = layers.Reshape((1, 1, 36))(layers.GlobalAveragePooling2D()(tensor))
    gate = layers.Conv2D(9, 1, activation="silu")(gate)
    tensor = layers.Multiply()([tensor, layers.Conv2D(36, 1, activation="sigmoid")(gate)])
    tensor = layers.Add()([tensor * 0.5, layers.MaxPooling2D(3, 1, "same")(tensor), tensor])
    tensor = layers.DepthwiseConv2D(3, strides=2, padding="same")(tensor)
    tensor = layers.Activation("hard_silu")(layers.BatchNormalization()(tensor))
    tensor = layers.ReLU(6.0)(layers.Conv2D(24, 3, strides=2, padding="same")(tensor))
    return keras.Model(image, layers.Dropout(0.1)(tensor))


def test_every_kind_of_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_BACKBONES", dict(registry._BACKBONES))
    registry.register(title="Every kind", citation="none", cut="none")(every_kind)
    model = make(tmp_path / "model.onnx", "pooled", "every_kind")
    kinds = {node.op_type for node in onnx.load_from_string(model.graph).graph.node}
    assert kinds >= {"AveragePool", "BatchNormalization", "Clip", "Concat", "HardSwish", "MaxPool"}
    write_litert(model, tmp_path / "model.tflite")
    pixels = pictures(6)
    before = open_engine(model).run(pixels)
    after = open_engine(read_any(tmp_path / "model.tflite")).run(pixels)
    for name in ("probability", "logit", "evidence", "bias", "distance"):
        ours, theirs = getattr(after, name), getattr(before, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    assert np.ptp(before.logit) > 1e-3


def test_an_operator_of_others_is_refused(
    small_models: dict[str, ModelFile], tmp_path: Path
) -> None:
    model = small_models["pooled"]
    graph = onnx.load_from_string(model.graph)
    next(node for node in graph.graph.node if node.op_type == "Sigmoid").op_type = "Softsign"
    other = write_model(tmp_path / "other.onnx", graph.SerializeToString(), model.metadata)
    with pytest.raises(InputError, match=r"^The graph has the operator Softsign"):
        write_litert(other, tmp_path / "other.tflite")
    assert not (tmp_path / "other.tflite").exists()


@pytest.mark.parametrize("head", ["pooled", "dense"])
def test_integers_round_as_in_onnx(
    small_models: dict[str, ModelFile], tmp_path: Path, head: str
) -> None:
    model = small_models[head]
    in_onnx = write_model(
        tmp_path / "q.onnx", int8.quantise(model.graph, pictures(8)), model.metadata
    )
    write_litert(in_onnx, tmp_path / "q.tflite", precision="int8")
    plain, before, after = (
        open_engine(each).run(pictures(8))
        for each in (model, in_onnx, read_any(tmp_path / "q.tflite"))
    )
    apart = np.abs(plain.logit - before.logit).mean()
    assert apart > 1e-4
    assert np.abs(after.logit - before.logit).mean() < 0.3 * apart
