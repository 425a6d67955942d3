"""What of a network is its backbone, and what its head looks at."""

from __future__ import annotations

import pytest

from tumorscope.networks.body import backbone_of, head_of, input_check_features, taps_of
from tumorscope.networks.network import build
from tumorscope.recipes.recipe import Recipe


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
    assert input_check_features(backbone_of(build(recipe))).shape[1:] == expected


def test_without_a_finer_stage_a_brain_is_known_by_the_last() -> None:
    import keras

    image = keras.Input((8, 8, 3))
    backbone = keras.Model(image, keras.layers.Conv2D(4, 3, padding="same")(image))
    assert input_check_features(backbone) is backbone.output


@pytest.mark.parametrize(("head", "taps"), [("flatten", [2]), ("pooled", [2]), ("dense", [4, 2])])
def test_every_head_has_a_backbone_of_one_output(head: str, taps: list[int]) -> None:
    network = {"backbone": "small_cnn", "head": head}
    model = build(Recipe.parse({"name": "test", "input": {"size": 64}, "network": network}))
    backbone = backbone_of(model)
    assert backbone.output.shape == (None, 2, 2, 64)
    assert [tap.shape[1] for tap in taps_of(model)] == taps
    assert taps_of(model)[-1] is backbone.output
    layers = head_of(model)
    inside = sum(layer.count_params() for layer in layers)
    assert inside + backbone.count_params() == model.count_params()
    assert layers[-1].output.shape == model.output_shape
