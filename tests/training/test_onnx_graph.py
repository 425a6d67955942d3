"""The ONNX translation equals Keras, kind by kind, and refuses what it does not know."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscope.training.backbones import build_backbone, names
from tumorscope.training.onnx_graph import UnsupportedLayerError, feature_graph


def run(graph: object, pixels: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"pixels": pixels})


@pytest.mark.parametrize("name", names())
def test_a_backbone_gives_what_keras_gives(name: str) -> None:
    backbone = build_backbone(name, 96)
    generator = np.random.default_rng(0)
    for layer in backbone.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([generator.uniform(0.6, 1.2, layer.gamma.shape) for _ in range(4)])
    pixels = generator.integers(0, 256, (3, 96, 96), dtype=np.uint8)
    graph = feature_graph(backbone, taps=[backbone.output], scale=1 / 127.5, offset=-1.0)
    values = np.repeat((pixels / np.float32(127.5) - 1)[..., None], 3, axis=-1).astype(np.float32)
    expected = np.asarray(backbone.predict_on_batch(values))
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


@pytest.mark.parametrize("kind", ["LeakyReLU", "GlobalMaxPooling2D"])
def test_an_unknown_layer_is_refused_by_name(kind: str) -> None:
    import keras

    image = keras.Input((8, 8, 3))
    model = keras.Model(image, getattr(keras.layers, kind)(name="odd")(image))
    with pytest.raises(UnsupportedLayerError, match="odd"):
        feature_graph(model, taps=[model.output], scale=1.0, offset=0.0)
