"""The dense head: how places become a logit, and what is saved of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tumorscope.networks.model_graph import model_graph
from tumorscope.networks.network import build, load, summarise
from tumorscope.networks.predict import predict
from tumorscope.networks.start import start
from tumorscope.recipes.recipe import Recipe

# Each network runs once: to trace it takes many times as long.
pytestmark = pytest.mark.usefixtures("eager")


def recipe_of(*, size: int = 64, task: str = "tumour", temperature: float = 1.0) -> Recipe:
    network = {"backbone": "small_cnn", "head": "dense", "channels": 8, "temperature": temperature}
    return Recipe.parse({"name": "test", "task": task, "input": {"size": size}, "network": network})


def noise(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, size, size), dtype=np.uint8)


def test_its_layers() -> None:
    layers = summarise(build(Recipe.load("paper").changed({"network.head": "dense"})))
    assert [(each.layer, each.output_shape, each.parameters) for each in layers] == [
        (
            "mobilenetv2_1.00_224 (Functional)",
            "(None, 14, 14, 576) and (None, 7, 7, 1280)",
            2_257_984,
        ),
        ("dropout (SpatialDropout2D)", "(None, 7, 7, 1280)", 0),
        ("coarse (Conv2D)", "(None, 7, 7, 96)", 1280 * 96),
        ("fine (Conv2D)", "(None, 14, 14, 96)", 576 * 96 + 96),
        ("enlarge (EnlargeTo)", "(None, 14, 14, 96)", 0),
        ("add (Add)", "(None, 14, 14, 96)", 0),
        ("relu (ReLU)", "(None, 14, 14, 96)", 0),
        ("local (Conv2D)", "(None, 14, 14, 1)", 97),
        ("pool (LogSumExpPooling)", "(None, 1)", 0),
        ("probability (Activation)", "(None, 1)", 0),
    ]


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_it_comes_back_from_disk(tmp_path: Path, temperature: float) -> None:
    recipe = recipe_of(temperature=temperature)
    model = build(recipe)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert again.get_layer("pool").temperature == temperature
    assert summarise(again) == summarise(model)
    scores = [predict(each, noise(64), recipe) for each in (model, again)]
    np.testing.assert_array_equal(*scores)
    graphs = [model_graph(each, recipe).SerializeToString() for each in (model, again)]
    assert graphs[0] == graphs[1]


def test_types_are_pooled_each_by_itself() -> None:
    recipe = recipe_of(task="tumour-type")
    scores = predict(build(recipe), noise(64), recipe)
    assert scores.shape == (5, 4)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("size", [64, 77, 90])
def test_sizes_that_are_no_multiple_of_32_answer_alike_in_the_model_file(size: int) -> None:
    import onnxruntime

    recipe = recipe_of(size=size)
    model, _ = start(recipe, "none")
    session = onnxruntime.InferenceSession(
        model_graph(model, recipe).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found = session.run(["probability"], {"pixels": noise(size)})[0]
    np.testing.assert_allclose(found, predict(model, noise(size), recipe), atol=1e-6)
    assert np.ptp(found) > 1e-6


def test_maps_are_enlarged_as_opencv_does() -> None:
    import cv2

    from tumorscope.networks.dense_layers import EnlargeTo

    maps = np.random.default_rng(0).normal(size=(1, 3, 5, 2)).astype(np.float32)
    enlarged = np.asarray(EnlargeTo()([maps, np.zeros((1, 8, 10, 4), np.float32)]))
    expected = cv2.resize(maps[0], (10, 8), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(enlarged[0], expected, atol=1e-5)
    same = EnlargeTo()([maps, np.zeros((1, 3, 5, 4), np.float32)])
    np.testing.assert_array_equal(np.asarray(same), maps)
