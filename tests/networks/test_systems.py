"""Every system fits a fold and scores it, with random weights; each network is built once.

Deep networks have stand-ins with the layers that they are cut and tapped at, because building them
takes most of the time; that the real ones have these layers is tested in test_backbones.py, and
that their layers compute, in test_onnx_graph.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.audits import audit

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import UsageError
from tumorscope.experiments.comparison.features import FeatureClassifier, feature_classifier
from tumorscope.experiments.learner import Estimator, network_estimator
from tumorscope.networks import network
from tumorscope.networks.backbones import build_backbone
from tumorscope.networks.backbones import lookup as lookup_backbone
from tumorscope.networks.systems import DEFAULT, lookup, names, recipe_for
from tumorscope.recipes.recipe import Recipe

REAL = ("mobilenet_v2", "alexnet", "small_cnn")


def stand_in(name: str, size: int) -> Any:
    """A small network whose layers have the names that recipes and systems speak of."""
    import keras

    known = lookup_backbone(name)
    assert size >= known.smallest
    image = tensor = keras.Input((size, size, 3))
    for layer in dict.fromkeys(("stem", *known.parts, known.cut)):
        tensor = keras.layers.Conv2D(8, 3, strides=2, padding="same", name=layer)(tensor)
        tensor = keras.layers.BatchNormalization()(tensor)
    return keras.Model(image, tensor, name=name)


@pytest.fixture(scope="module")
def built() -> Iterator[dict[tuple[str, int], object]]:
    """Networks by name and size: building the heavy ones takes seconds each, tracing them more."""
    import keras

    eager = keras.config.backend() == "tensorflow"
    if eager:
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
    yield {}
    if eager:
        tf.config.run_functions_eagerly(False)
    keras.utils.clear_session()


@pytest.fixture
def tiny(
    quick: Recipe, built: dict[tuple[str, int], object], monkeypatch: pytest.MonkeyPatch
) -> Recipe:
    def build_once(name: str, size: int) -> Any:
        if (name, size) not in built:
            build = build_backbone if name in REAL else stand_in
            built[name, size] = build(name, size)
        return built[name, size]

    monkeypatch.setattr(network, "build_backbone", build_once)
    changes = {
        "input": {"size": 64},
        "augmentation": {"variants": 1},
        "frozen": {"epochs": 0},
        "fine_tuning": {"epochs": 1},
        "optimisation": {"batch_size": 6},  # one shape, traced once
    }
    parts = {name: getattr(quick, name).model_copy(update=new) for name, new in changes.items()}
    return quick.model_copy(update=parts)


@pytest.fixture
def manifest(tiny_cohort: Path) -> Manifest:
    return audit(tiny_cohort, probes=False).manifest


@pytest.mark.parametrize("name", [*DEFAULT, "small_cnn"])
def test_a_system_fits_and_scores(name: str, tiny: Recipe, manifest: Manifest) -> None:
    system = lookup(name)
    if system.classifier is None:
        own = recipe_for(system, tiny, system.backbones[0])
        estimator: Estimator = network_estimator(own, "none", manifest)
    else:
        estimator = feature_classifier(system, tiny, "none", manifest)
    calls: list[Any] = []
    estimator.fit(np.array([0, 1, 2, 3, 6, 7, 8, 9]), seed=0, on_epoch=calls.append)
    scores = estimator.predict(np.array([4, 5, 10, 11]))
    assert scores.shape == (4,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert len(calls) == 1


def test_what_the_recipe_becomes_for_each_backbone() -> None:
    paper, reference = Recipe.load("paper"), Recipe.load("reference")
    inception = recipe_for(lookup("inception_v3"), paper, "inception_v3")
    assert inception.input.size == 299
    assert (inception.input.scaling, inception.network.head) == ("symmetric", "flatten")
    assert inception.fine_tuning.from_layer == "conv2d_76"
    assert inception.name == "inception_v3-paper"
    assert recipe_for(lookup("vgg16"), paper, "vgg16").input.scaling == "caffe"
    same = recipe_for(lookup("mobilenet_v2"), paper, "mobilenet_v2")
    assert same.fine_tuning.from_layer == paper.fine_tuning.from_layer
    # What changes is nothing else.
    assert same.augmentation == paper.augmentation
    assert same.optimisation == paper.optimisation
    assert recipe_for(lookup("vgg16"), reference, "vgg16").fine_tuning.from_layer == "input"
    small = {
        name: recipe_for(lookup(name), reference, lookup(name).backbones[0]).fine_tuning.size
        for name in ("mobilenet_v2-pooled", "mobilenet_v2-flatten", "inception_v3")
    }
    assert small["mobilenet_v2-pooled"] == reference.fine_tuning.size
    assert (small["mobilenet_v2-flatten"], small["inception_v3"]) == (0, 0)


def test_only_a_dense_head_trains_on_places() -> None:
    dense = Recipe.load("reference").changed({"network.head": "dense", "optimisation.places": 0.5})
    for name, head, places, size in (
        ("mobilenet_v2", "dense", 0.5, dense.fine_tuning.size),
        ("resnet50", "dense", 0.5, dense.fine_tuning.size),
        ("mobilenet_v2-pooled", "pooled", 0.0, dense.fine_tuning.size),
        ("mobilenet_v2-flatten", "flatten", 0.0, 0),
    ):
        followed = recipe_for(lookup(name), dense, lookup(name).backbones[0])
        assert followed.network.head == head
        assert (followed.optimisation.places, followed.fine_tuning.size) == (places, size)


def test_an_unknown_system_is_named() -> None:
    with pytest.raises(UsageError, match="mobilenet_v2-logistic"):
        lookup("resnet_9000")
    assert set(DEFAULT) <= set(names())


@pytest.mark.parametrize("classifier", ["logistic", "svm"])
def test_a_classifier_learns_and_forgets_the_fold_before(classifier: str) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    features = generator.normal(size=(60, 20)).astype(np.float32)
    features[:, 0] += 3 * labels
    groups = np.array([f"g{index // 4}" for index in range(60)])
    groups = np.char.add(groups, labels.astype(str))
    estimator = FeatureClassifier(
        features,
        labels,
        groups,
        classifier=classifier,
        balanced=True,
    )
    known, testing = np.arange(40), np.arange(40, 60)
    estimator.fit(known, seed=1)
    scores = estimator.predict(testing)
    assert ((scores >= 0.5) == labels[testing]).mean() > 0.8
    assert scores[labels[testing] == 1].mean() > scores[labels[testing] == 0].mean() + 0.2
    estimator.fit(testing, seed=1)
    estimator.fit(known, seed=1)
    np.testing.assert_allclose(estimator.predict(testing), scores)
