"""A backbone that rounds is nearer to its 8-bit form than to itself, and shares its variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.fixtures.heads_of_models import pictures

from tumorscope.conversion import int8
from tumorscope.networks.fake_quantised import FakeQuantised, fake_quantised
from tumorscope.networks.onnx_graph import feature_graph
from tumorscope.networks.scaling import SCALINGS, network_input

# Each network runs once: to trace it takes many times as long.
pytestmark = pytest.mark.usefixtures("eager")


def inverted(size: int) -> Any:
    """Pads, goes by channel, adds, bounds: what MobileNetV2 has, and a convolution with a bias."""
    import keras

    layers = keras.layers
    image = keras.Input((size, size, 3), name="image")
    tensor = layers.ZeroPadding2D(((0, 1), (0, 1)), name="pad")(image)
    tensor = layers.Conv2D(16, 3, strides=2, use_bias=False, name="first")(tensor)
    tensor = layers.ReLU(6.0, name="first_relu")(layers.BatchNormalization(name="bn_1")(tensor))
    inner = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="by_channel")(tensor)
    inner = layers.ReLU(6.0, name="relu_2")(layers.BatchNormalization(name="bn_2")(inner))
    inner = layers.Conv2D(16, 1, use_bias=False, name="project")(inner)
    tensor = layers.Add(name="add")([tensor, layers.BatchNormalization(name="bn_3")(inner)])
    tensor = layers.Conv2D(24, 3, strides=2, activation="relu", name="biased")(tensor)
    return keras.Model(image, tensor, name="inverted")


@pytest.fixture(scope="module")
def backbone(eager: None) -> Any:
    import keras

    keras.utils.set_random_seed(2)
    made = inverted(64)
    rng = np.random.default_rng(1)
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return made


def scaled(scaling: str) -> np.ndarray:
    return network_input(pictures(8), scaling)


def made_from(backbone: Any, scaling: str) -> FakeQuantised:
    rounding = fake_quantised(backbone, grey=scaling == "symmetric")
    rounding.calibrate([scaled(scaling)[:4], scaled(scaling)[4:]])
    return rounding


@pytest.mark.parametrize("scaling", ["symmetric", "imagenet"])
def test_it_rounds_as_the_conversion_does(backbone: Any, scaling: str) -> None:
    scale, offset = SCALINGS[scaling]
    graph = feature_graph(backbone, taps=[backbone.output], scale=scale, offset=offset)
    in_8_bits = int8.quantise(graph.SerializeToString(), pictures(8))
    engine = onnxruntime.InferenceSession(in_8_bits, providers=["CPUExecutionProvider"])
    (converted,) = engine.run(None, {"pixels": pictures(8)})
    plain = backbone.predict_on_batch(scaled(scaling))
    rounded = made_from(backbone, scaling).model.predict_on_batch(scaled(scaling))
    assert np.abs(rounded - plain).mean() > 1e-3
    # A last bit apart where a sum falls between two values.
    assert np.abs(rounded - converted).mean() < 0.1 * np.abs(plain - converted).mean()


def test_every_convolution_and_addition_is_rounded_once(backbone: Any) -> None:
    found = {
        each
        for each in made_from(backbone, "symmetric").observer.output
        if each.endswith("_rounded")
    }
    names = ("pad", "first_relu", "relu_2", "bn_3", "add", "biased")
    assert found == {f"{name}_rounded" for name in names}


def test_it_shares_the_variables_and_leaves_the_original_as_it_was(backbone: Any) -> None:
    before = backbone.predict_on_batch(scaled("symmetric"))
    rounding = made_from(backbone, "symmetric")
    ours, theirs = (
        {id(each) for each in model.trainable_variables} for model in (rounding.model, backbone)
    )
    assert ours == theirs
    np.testing.assert_array_equal(backbone.predict_on_batch(scaled("symmetric")), before)


def test_a_step_changes_kernels_and_offsets(backbone: Any) -> None:
    rounding = made_from(backbone, "symmetric")
    before = {each.path: np.asarray(each) for each in backbone.trainable_variables}
    means = np.asarray(backbone.get_layer("bn_1").moving_mean)
    rounding.model.compile(optimizer="sgd", loss="mse")
    wanted = np.ones((8, *backbone.output_shape[1:]), np.float32)
    rounding.model.train_on_batch(scaled("symmetric"), wanted)
    for variable in backbone.trainable_variables:
        assert np.abs(np.asarray(variable) - before[variable.path]).max() > 0, variable.path
    np.testing.assert_array_equal(np.asarray(backbone.get_layer("bn_1").moving_mean), means)


def test_what_lies_beyond_the_range_is_clipped(backbone: Any) -> None:
    rounding = fake_quantised(backbone, grey=True)
    layer = rounding.model.get_layer("add_rounded")
    layer.set_range(0.5, 1.02)  # 0 is among its values all the same
    values = np.array([[-1.0, 0.0, 0.501, 3.0]], np.float32)
    np.testing.assert_allclose(layer(values), [[0.0, 0.0, 0.5, 1.02]], atol=0.002)
    layer.set_range(0.0, 0.0)
    assert np.isfinite(np.asarray(layer(values))).all()


@pytest.mark.parametrize("scaling", ["symmetric", "imagenet"])
def test_what_has_settled_is_not_rounded_again(scaling: str) -> None:
    import keras

    keras.utils.set_random_seed(3)
    settled = inverted(64)
    pictured = scaled(scaling)
    rounding = fake_quantised(settled, grey=scaling == "symmetric")
    rounding.calibrate([pictured])
    before = rounding.model.predict_on_batch(pictured)
    plain = settled.predict_on_batch(pictured)
    rounding.settle([pictured])
    after = settled.predict_on_batch(pictured)
    rounded = rounding.model.predict_on_batch(pictured)
    # Its float32 is now what its rounded form was, but for the rounding of activations.
    assert np.abs(rounded - before).mean() < 0.3 * np.abs(plain - before).mean()
    kernels = [np.asarray(each) for each in settled.trainable_variables]
    rounding.settle([pictured])
    for ours, others in zip(settled.trainable_variables, kernels, strict=True):
        np.testing.assert_allclose(np.asarray(ours), others, atol=1e-5)
    assert np.isfinite(after).all()
