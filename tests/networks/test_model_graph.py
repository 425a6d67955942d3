"""The graph of a model file equals Keras, and its evidence adds up to the logit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.networks.body import backbone_of, head_of, input_check_features
from tumorscope.networks.input_check_features import FeatureSpace
from tumorscope.networks.model_graph import model_graph
from tumorscope.networks.network import build
from tumorscope.networks.predict import predict
from tumorscope.recipes.recipe import Recipe

# Each network runs once: to trace it takes many times as long.
pytestmark = pytest.mark.usefixtures("eager")

SIZE = 64


def recipe_of(head: str, backbone: str = "small_cnn", scaling: str = "symmetric") -> Recipe:
    return Recipe.parse(
        {
            "name": "test",
            "input": {"size": SIZE, "scaling": scaling},
            "network": {"backbone": backbone, "head": head, "units": 16},
        }
    )


def shaken(recipe: Recipe) -> Any:
    """A model whose every weight, also of normalisation and biases, is random."""
    import keras

    keras.utils.set_random_seed(1)
    model = build(recipe)
    generator = np.random.default_rng(1)
    for layer in [*backbone_of(model).layers, *head_of(model)]:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([generator.uniform(0.6, 1.4, layer.gamma.shape) for _ in range(4)])
        elif type(layer).__name__ == "Dense":
            inputs, units = layer.kernel.shape
            kernel = generator.normal(0, inputs**-0.5, (inputs, units))
            layer.set_weights([kernel, generator.normal(0, 0.3, units)])
        elif layer.name in ("coarse", "fine", "local"):
            weights = [generator.normal(0, 0.5, each.shape) for each in layer.get_weights()]
            layer.set_weights(weights)
    return model


def run(graph: Any, pixels: np.ndarray) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"pixels": pixels}), strict=True))


@pytest.mark.parametrize(
    ("head", "backbone", "scaling"),
    [
        *((head, "small_cnn", "unit") for head in ("pooled", "flatten", "dense")),
        *((head, "small_cnn", "symmetric") for head in ("pooled", "flatten", "dense")),
        # The flatten head takes what the pooled one does; with its weights it is tested below.
        ("pooled", "mobilenet_v2", "symmetric"),
        ("dense", "mobilenet_v2", "symmetric"),
    ],
)
def test_equals_keras_and_evidence_sums_to_the_logit(
    head: Literal["pooled", "flatten", "dense"], backbone: str, scaling: str
) -> None:
    recipe = recipe_of(head, backbone, scaling)
    model = shaken(recipe)
    pixels = np.random.default_rng(0).integers(0, 256, (9, SIZE, SIZE), dtype=np.uint8)
    pixels[0], pixels[1] = 0, 255
    outputs = run(model_graph(model, recipe), pixels)
    np.testing.assert_allclose(outputs["probability"], predict(model, pixels, recipe), atol=2e-5)
    assert outputs["evidence"].shape == ((9, 4, 4) if head == "dense" else (9, 2, 2))
    total = outputs["evidence"].sum(axis=(1, 2)) + outputs["bias"]
    np.testing.assert_allclose(total, outputs["logit"], atol=1e-3)
    if backbone == "small_cnn":  # 52 random layers leave nothing of the image
        assert np.ptp(outputs["logit"]) > 1e-3


def test_the_hidden_layer_takes_part() -> None:
    recipe = recipe_of("flatten", scaling="symmetric")
    # Noise, from coarse to fine and from dark to bright, so that features differ much.
    generator = np.random.default_rng(0)
    coarse = [generator.integers(0, 256, (40, SIZE >> k, SIZE >> k)) for k in range(5)]
    grains = [np.kron(each, np.ones((1, 1 << k, 1 << k))) for k, each in enumerate(coarse)]
    brightness = np.linspace(0, 1, 200)[:, None, None]
    pixels = (np.concatenate(grains) * brightness).astype(np.uint8)
    outputs = run(model_graph(shaken(recipe), recipe), pixels)
    # Other units are active for other images, so the bias of the linearisation differs.
    assert np.ptp(outputs["bias"]) > 0


def test_calibration_is_inside_the_graph() -> None:
    recipe = recipe_of("pooled")
    pixels = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), dtype=np.uint8)
    outputs = run(model_graph(shaken(recipe), recipe, slope=0.5, intercept=-1.0), pixels)
    expected = 1 / (1 + np.exp(-(0.5 * outputs["logit"].astype(np.float64) - 1.0)))
    np.testing.assert_allclose(outputs["probability"], expected, atol=1e-6)


def test_distance_is_mahalanobis() -> None:
    import keras

    recipe = recipe_of("pooled")
    model = shaken(recipe)
    backbone = backbone_of(model)
    checked = input_check_features(backbone)
    channels = checked.shape[-1]
    pixels = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), dtype=np.uint8)
    generator = np.random.default_rng(2)
    axes, _ = np.linalg.qr(generator.normal(size=(channels, 5)))
    mean, variances, noise = (
        generator.normal(size=channels),
        np.array([5.0, 4.0, 3.0, 2.0, 1.0]),
        0.25,
    )
    space = FeatureSpace(
        mean.astype(np.float32), axes.astype(np.float32), variances.astype(np.float32), noise
    )
    outputs = run(model_graph(model, recipe, space=space), pixels)
    values = np.repeat((pixels / np.float32(127.5) - 1)[..., None], 3, axis=-1)
    inner = keras.Model(backbone.input, checked)
    features = np.asarray(inner.predict_on_batch(values)).mean(axis=(1, 2))
    rest = np.eye(channels) - axes @ axes.T
    covariance = axes @ np.diag(variances) @ axes.T + noise * rest
    apart = features / np.linalg.norm(features, axis=1, keepdims=True) - mean
    squared = np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart)
    np.testing.assert_allclose(outputs["distance"], np.sqrt(squared / channels), rtol=1e-3)
    np.testing.assert_allclose(space.distances(features), outputs["distance"], rtol=1e-3)


def test_without_a_space_the_distance_is_zero() -> None:
    recipe = recipe_of("pooled")
    pixels = np.zeros((2, SIZE, SIZE), dtype=np.uint8)
    assert run(model_graph(build(recipe), recipe), pixels)["distance"].tolist() == [0.0, 0.0]


def test_a_backbone_without_translation_is_refused() -> None:
    import keras

    recipe = recipe_of("pooled")
    image = keras.Input((SIZE, SIZE, 3))
    backbone = keras.Model(image, keras.layers.LeakyReLU(name="odd")(image))
    model = keras.Sequential([backbone, *build(recipe).layers[1:2], keras.layers.Dense(1)])
    with pytest.raises(InputError, match=r"odd.*no translation"):
        model_graph(model, recipe)


@pytest.mark.parametrize("head", ["flatten", "dense"])
def test_equals_keras_on_real_images(real_data: Path, head: str) -> None:
    """With the weights that matter: the backbone's from ImageNet, 16 public images."""
    from tumorscope.imaging import prepare, read_slice
    from tumorscope.networks.weights import load_weights

    files = [*(real_data / "weights").rglob("mobilenet_v2*no_top.h5")]
    if not files:
        pytest.skip("needs the ImageNet weights beside the public data set")
    recipe = Recipe.parse(
        {"name": "real", "input": {"scaling": "symmetric"}, "network": {"head": head}}
    )
    model = build(recipe)
    load_weights(backbone_of(model), name="mobilenet_v2", weights=files[0])
    paths = sorted((real_data / "navoneel_253" / "yes").iterdir())[:16]
    pixels = np.stack([prepare(read_slice(path), recipe.input.preprocessing) for path in paths])
    outputs = run(model_graph(model, recipe), pixels)
    assert np.abs(outputs["probability"] - predict(model, pixels, recipe)).max() <= 1e-4
    total = outputs["evidence"].sum(axis=(1, 2)) + outputs["bias"]
    np.testing.assert_allclose(total, outputs["logit"], atol=1e-3)
    assert np.ptp(outputs["logit"]) > 0.1
