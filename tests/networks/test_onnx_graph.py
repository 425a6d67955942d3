"""The ONNX translation equals Keras, kind by kind, and refuses what it does not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tumorscope.networks.backbones import build_backbone, lookup
from tumorscope.networks.cost import layer_macs, macs
from tumorscope.networks.onnx_graph import UnsupportedLayerError, feature_graph
from tumorscope.networks.scaling import SCALINGS, network_input

# Each network runs once: to trace it takes many times as long.
pytestmark = pytest.mark.usefixtures("eager")


def run(graph: Any, pixels: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"pixels": pixels})


# Between them and the networks below they have every kind of layer that backbones are made of;
# test_backbones.py looks whether the heavy ones have others.
@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "efficientnet_v2_b0",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "resnet18",
        "small_cnn",
    ],
)
def test_a_backbone_gives_what_keras_gives(name: str) -> None:
    backbone, scaling = build_backbone(name, 96), lookup(name).scaling
    generator = np.random.default_rng(0)
    for layer in backbone.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([generator.uniform(0.6, 1.2, layer.gamma.shape) for _ in range(4)])
    pixels = generator.integers(0, 256, (3, 96, 96), dtype=np.uint8)
    scale, offset = SCALINGS[scaling]
    graph = feature_graph(backbone, taps=[backbone.output], scale=scale, offset=offset)
    expected = np.asarray(backbone.predict_on_batch(network_input(pixels, scaling)))
    np.testing.assert_allclose(run(graph, pixels)[0], expected, atol=1e-4)


def test_layers_of_plain_networks() -> None:
    import keras

    layers = keras.layers
    image = keras.Input((17, 23, 3))
    tensor = layers.Conv2D(4, (3, 2), strides=(2, 1), padding="same", activation="relu")(image)
    tensor = layers.ZeroPadding2D(((0, 2), (1, 0)))(tensor)
    side = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="valid", dilation_rate=2)(tensor)
    tensor = layers.Conv2D(8, 3, dilation_rate=2, groups=2)(tensor)
    tensor = layers.Add()([tensor, side, side])
    model = keras.Model(image, layers.ReLU(max_value=2.0)(tensor))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 17, 23), dtype=np.uint8)
    values = np.repeat(pixels[..., None] / np.float32(255), 3, axis=-1).astype(np.float32)
    graph = feature_graph(model, taps=[model.output], scale=1 / 255, offset=0.0)
    expected = np.asarray(model.predict_on_batch(values))
    np.testing.assert_allclose(run(graph, pixels)[0], expected, atol=1e-5)


@pytest.mark.parametrize("scaling", ["caffe", "unit"])
def test_layers_of_densenet_and_inception(scaling: str) -> None:
    import keras

    layers = keras.layers
    image = keras.Input((19, 22, 3))
    # Padding by zeros after scaling: channels with offsets of their own must not be summed before.
    tensor = layers.Conv2D(6, 3, padding="same")(image)
    tensor = layers.BatchNormalization(scale=False)(tensor)
    tensor = layers.Activation("relu")(tensor)
    side = layers.AveragePooling2D(3, strides=1, padding="same")(tensor)
    other = layers.MaxPooling2D(3, strides=1, padding="same")(tensor)
    tensor = layers.Concatenate(axis=3)([tensor, side, other])
    tensor = layers.BatchNormalization(center=False)(tensor)
    gate = layers.GlobalAveragePooling2D()(tensor)
    gate = layers.Reshape((1, 1, 18))(gate)
    tensor = layers.Multiply()([tensor, layers.Conv2D(18, 1, activation="sigmoid")(gate)])
    tensor = layers.Dropout(0.5)(layers.Activation("silu")(tensor + 0.5) * 2.0)
    tensor = layers.AveragePooling2D(2, strides=2)(layers.MaxPooling2D(3, strides=2)(tensor))
    model = keras.Model(image, tensor)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 19, 22), dtype=np.uint8)
    scale, offset = SCALINGS[scaling]
    graph = feature_graph(model, taps=[model.output], scale=scale, offset=offset)
    expected = np.asarray(model.predict_on_batch(network_input(pixels, scaling)))
    np.testing.assert_allclose(run(graph, pixels)[0], expected, rtol=1e-4, atol=1e-4)


def test_arithmetic_is_counted_alike_from_layers_and_from_the_graph() -> None:
    backbone = build_backbone("resnet18", 64)
    scale, offset = SCALINGS["imagenet"]
    graph = feature_graph(backbone, taps=[backbone.output], scale=scale, offset=offset)
    assert macs(graph.SerializeToString(), size=64) == layer_macs(backbone)


def test_an_operation_that_is_no_layer_is_refused() -> None:
    import keras

    image = keras.Input((8, 8, 3))
    tensor = keras.layers.Conv2D(2, 3)(image)
    model = keras.Model(image, tensor - 1.0)
    with pytest.raises(UnsupportedLayerError, match="Subtract"):
        feature_graph(model, taps=[model.output], scale=1.0, offset=0.0)


@pytest.mark.parametrize("kind", ["LeakyReLU", "GlobalMaxPooling2D"])
def test_an_unknown_layer_is_refused_by_name(kind: str) -> None:
    import keras

    image = keras.Input((8, 8, 3))
    model = keras.Model(image, getattr(keras.layers, kind)(name="odd")(image))
    with pytest.raises(UnsupportedLayerError, match="odd"):
        feature_graph(model, taps=[model.output], scale=1.0, offset=0.0)
