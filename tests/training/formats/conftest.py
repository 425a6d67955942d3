"""A small model file of each head, with random weights, and images to judge it by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tumorscope.model_file.container import ModelFile, write_model
from tumorscope.model_file.schema import (
    Calibration,
    Conformal,
    HowPrepared,
    InputCheck,
    Metadata,
    OperatingPoint,
)
from tumorscope.training.formats.convert import Sample
from tumorscope.training.input_space import FeatureSpace
from tumorscope.training.model_graph import model_graph
from tumorscope.training.network import build, familiar_features
from tumorscope.training.recipe import Recipe

SIZE = 64


def pictures(n: int) -> np.ndarray:
    """Noise with a disc that is brighter from picture to picture."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    disc = (rows - 30) ** 2 + (columns - 34) ** 2 < 200
    noise = rng.normal(90, 20, (n, 16, 16)).repeat(4, 1).repeat(4, 2)
    noise += np.linspace(-60, 120, n)[:, None, None] * disc
    return np.clip(noise, 0, 255).astype(np.uint8)


def make(path: Path, head: str, backbone: str) -> ModelFile:
    import keras

    recipe = Recipe.parse(
        {
            "name": f"small-{head}",
            "input": {"size": SIZE, "scaling": "symmetric"},
            "network": {"backbone": backbone, "head": head, "units": 16},
        }
    )
    keras.utils.set_random_seed(4)
    model = build(recipe)
    rng = np.random.default_rng(1)
    for layer in [*model.layers[0].layers, *model.layers[1:]]:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([rng.uniform(0.7, 1.3, layer.gamma.shape) for _ in range(4)])
    backbone = model.layers[0]
    features = keras.Model(backbone.input, familiar_features(backbone)).predict(
        np.repeat(pictures(40)[..., None] / 127.5 - 1, 3, axis=-1), verbose=0
    )
    space = FeatureSpace.fit(features.mean(axis=(1, 2)).astype(np.float64))
    graph = model_graph(model, recipe, slope=0.7, intercept=0.1, space=space)
    points = {"balanced": OperatingPoint(threshold=0.5, policy="made up")}
    metadata = Metadata(
        name=recipe.name,
        created="2026-01-01T00:00:00Z",
        graph_sha256="0" * 64,
        preprocessing=HowPrepared(size=SIZE, crop="none", fit="stretch", intensity="none"),
        grid=(2, 2),
        calibration=Calibration(slope=0.7, intercept=0.1),
        operating_points=points,
        conformal=Conformal(no_tumour=0.7, tumour=0.7, n=(50, 50)),
        input_check=InputCheck(distance=50.0),
        recipe=recipe.model_dump(mode="json"),
        data={"sha256": "0" * 64},
    )
    return write_model(path, graph.SerializeToString(), metadata)


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFile]:
    folder = tmp_path_factory.mktemp("models")
    return {
        head: make(folder / f"{head}.onnx", head, "small_cnn") for head in ("pooled", "flatten")
    }


@pytest.fixture(scope="session")
def sample(small_models: dict[str, ModelFile]) -> Sample:
    """Labelled by the pooled model itself with some mistakes, so that there is an AUC to lose."""
    from tumorscope.detection.engines import open_engine

    pixels = pictures(40)
    logit = open_engine(small_models["pooled"]).run(pixels).logit
    labels = (logit > np.median(logit)).astype(np.int64)
    labels[::9] = 1 - labels[::9]
    groups = np.array([f"g{index // 2}" for index in range(40)])
    return Sample(pixels, labels, groups, np.zeros((40, 256), dtype=np.int8))
