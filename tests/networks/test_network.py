"""The network: the paper's Figure 2 to the digit, and halves that add up to the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.networks.backbones import build_backbone, names
from tumorscope.networks.network import build, input_check_features, summarise, trainable_part
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.feature_store import extractor


def test_the_paper_figure_2() -> None:
    layers = summarise(build(Recipe.load("paper")))
    assert [(each.layer, each.output_shape, each.parameters) for each in layers] == [
        ("mobilenetv2_1.00_224 (Functional)", "(None, 7, 7, 1280)", 2_257_984),
        ("flatten (Flatten)", "(None, 62720)", 0),
        ("dense (Dense)", "(None, 128)", 8_028_288),
        ("batch_normalization (BatchNormalization)", "(None, 128)", 512),
        ("dropout (Dropout)", "(None, 128)", 0),
        ("dense_1 (Dense)", "(None, 1)", 129),
    ]


def small(backbone: str, from_layer: str) -> Recipe:
    recipe = Recipe.load("paper")
    return recipe.model_copy(
        update={
            "input": recipe.input.model_copy(update={"size": 64}),
            "network": recipe.network.model_copy(update={"backbone": backbone, "units": 8}),
            "fine_tuning": recipe.fine_tuning.model_copy(update={"from_layer": from_layer}),
        }
    )


def jitter(model: Any) -> None:
    """Move batch normalisation away from its start, where it would hide a mistake."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            shape = layer.gamma.shape
            layer.set_weights([generator.uniform(0.5, 1.5, shape) for _ in range(4)])


@pytest.mark.parametrize(
    ("backbone", "cut"), [("mobilenet_v2", "block_13_expand"), ("small_cnn", "conv_3")]
)
def test_frozen_part_then_trained_part_is_the_whole(backbone: str, cut: str) -> None:
    recipe = small(backbone, cut)
    model = build(recipe)
    jitter(model.layers[0])
    pixels = np.random.default_rng(1).integers(0, 256, (5, 64, 64), dtype=np.uint8)
    whole = np.asarray(model.predict_on_batch(network_input(pixels, "unit")))
    features = extractor(model, recipe, [None, cut, "input"])(pixels)
    for entry in (None, cut):
        part = trainable_part(model, from_layer=entry, batch_norm="frozen")
        scores = np.asarray(part.predict_on_batch(features[entry].astype(np.float32)))
        np.testing.assert_allclose(scores, whole, atol=2e-3)
    np.testing.assert_array_equal(features["input"], pixels)


@pytest.mark.parametrize(("how", "moves"), [("frozen", False), ("training", True)])
def test_batch_norm_of_the_backbone_moves_only_when_asked(how: str, moves: bool) -> None:
    recipe = small("mobilenet_v2", "block_13_expand")
    model = build(recipe)
    jitter(model.layers[0])
    part = trainable_part(model, from_layer="block_13_expand", batch_norm=how)
    part.compile("adam", "binary_crossentropy")
    inside = model.layers[0].get_layer("block_14_expand_BN")
    outside = model.layers[0].get_layer("block_12_expand_BN")
    before = [np.asarray(value).copy() for layer in (inside, outside) for value in layer.weights]
    entry = np.random.default_rng(0).normal(size=(4, *part.input_shape[1:])).astype(np.float32)
    part.train_on_batch(entry, np.array([[0.0], [1.0], [0.0], [1.0]], np.float32))
    after = [np.asarray(value).copy() for layer in (inside, outside) for value in layer.weights]
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert any(changed[:4]) == moves
    assert not any(changed[4:])


@pytest.mark.parametrize("cut", ["no_such_layer", "block_2_add", "block_2_project"])
def test_a_place_where_it_cannot_be_cut_is_refused(cut: str) -> None:
    model = build(small("mobilenet_v2", cut))
    with pytest.raises(InputError, match="cut"):
        trainable_part(model, from_layer=cut, batch_norm="frozen")


def test_backbones_build_and_an_unknown_one_is_named() -> None:
    for name in ("mobilenet_v2", "small_cnn"):  # the others: test_backbones.py
        assert name in names()
        assert build_backbone(name, 64).output_shape[0] is None
    with pytest.raises(InputError, match="small_cnn"):
        build_backbone("resnet_9000", 64)


@pytest.mark.parametrize(
    ("backbone", "size", "expected"),
    [("mobilenet_v2", 224, (14, 14, 576)), ("mobilenet_v2", 64, (4, 4, 576))],
)
def test_a_brain_is_known_by_features_a_stage_before_the_last(
    backbone: str, size: int, expected: tuple[int, ...]
) -> None:
    recipe = Recipe.parse(
        {
            "name": "test",
            "input": {"size": size},
            "network": {"backbone": backbone, "head": "pooled"},
        }
    )
    assert input_check_features(build(recipe).layers[0]).shape[1:] == expected


def test_without_a_finer_stage_a_brain_is_known_by_the_last() -> None:
    import keras

    image = keras.Input((8, 8, 3))
    backbone = keras.Model(image, keras.layers.Conv2D(4, 3, padding="same")(image))
    assert input_check_features(backbone) is backbone.output
