"""Halves that add up to the whole, and train what they are asked to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.networks.body import backbone_of
from tumorscope.networks.halves import LOCAL, PROBABILITY, grid_at, trainable_part
from tumorscope.networks.network import build
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.feature_store import extractor

# Each network runs once: to trace it takes many times as long.
pytestmark = pytest.mark.usefixtures("eager")


def small(backbone: str, from_layer: str, head: str = "flatten") -> Recipe:
    recipe = Recipe.load("paper")
    return recipe.model_copy(
        update={
            "input": recipe.input.model_copy(update={"size": 64}),
            "network": recipe.network.model_copy(
                update={"backbone": backbone, "head": head, "units": 8, "channels": 8}
            ),
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
    ("backbone", "cut", "head"),
    [
        ("mobilenet_v2", "block_13_expand", "dense"),
        ("small_cnn", "conv_3", "flatten"),
        ("small_cnn", "conv_3", "dense"),
        # The finer map is made before the cut; here it is what the layer takes.
        ("small_cnn", "conv_4", "dense"),
        ("resnet18", "conv5_block1_1_pad", "dense"),
    ],
)
def test_frozen_part_then_trained_part_is_the_whole(backbone: str, cut: str, head: str) -> None:
    recipe = small(backbone, cut, head)
    model = build(recipe)
    jitter(backbone_of(model))
    pixels = np.random.default_rng(1).integers(0, 256, (5, 64, 64), dtype=np.uint8)
    whole = np.asarray(model.predict_on_batch(network_input(pixels, "unit")))
    features = extractor(model, recipe, [None, cut, "input"])(pixels)
    for entry in (None, cut):
        part = trainable_part(model, from_layer=entry, batch_norm="frozen")
        inputs = [each.astype(np.float32) for each in features[entry]]
        scores = np.asarray(part.predict_on_batch(inputs if len(inputs) > 1 else inputs[0]))
        np.testing.assert_allclose(scores, whole, atol=2e-3)
    np.testing.assert_array_equal(features["input"][0], pixels)


@pytest.mark.parametrize(("how", "moves"), [("frozen", False), ("training", True)])
def test_batch_norm_of_the_backbone_moves_only_when_asked(how: str, moves: bool) -> None:
    model = build(small("small_cnn", "conv_3"))
    jitter(model.layers[0])
    part = trainable_part(model, from_layer="conv_3", batch_norm=how)
    part.compile("adam", "binary_crossentropy")
    inside = model.layers[0].get_layer("bn_4")
    outside = model.layers[0].get_layer("bn_2")
    before = [np.asarray(value).copy() for layer in (inside, outside) for value in layer.weights]
    entry = np.random.default_rng(0).normal(size=(4, *part.input_shape[1:])).astype(np.float32)
    part.train_on_batch(entry, np.array([[0.0], [1.0], [0.0], [1.0]], np.float32))
    after = [np.asarray(value).copy() for layer in (inside, outside) for value in layer.weights]
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert any(changed[:4]) == moves
    assert not any(changed[4:])


def test_a_place_where_it_cannot_be_cut_is_refused() -> None:
    model = build(small("mobilenet_v2", "block_13_expand"))
    for cut in ("no_such_layer", "block_2_add", "block_2_project"):
        with pytest.raises(InputError, match="cut"):
            trainable_part(model, from_layer=cut, batch_norm="frozen")


def test_a_part_that_trains_on_places_gives_them_for_pictures_of_any_size() -> None:
    model = build(small("small_cnn", "input", "dense"))
    whole = trainable_part(model, from_layer="input", batch_norm="frozen", places=True)
    smaller = trainable_part(model, from_layer="input", batch_norm="frozen", size=32, places=True)
    assert {name: made.shape for name, made in whole.output.items()} == {
        PROBABILITY: (None, 1),
        LOCAL: (None, 4, 4, 1),
    }
    assert smaller.output[LOCAL].shape == (None, 2, 2, 1)
    assert (grid_at(model, 64), grid_at(model, 32), grid_at(model, 72)) == ((4, 4), (2, 2), (5, 5))
    # The same picture twice as large has the same logit where all places agree.
    for part, size in ((whole, 64), (smaller, 32)):
        made = part.predict_on_batch(np.zeros((1, size, size, 3), np.float32))
        assert made[PROBABILITY].shape == (1, 1)
