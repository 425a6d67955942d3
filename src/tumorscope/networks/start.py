"""A recipe → its network with starting weights, the same at every call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.progress import say
from tumorscope.networks.backend import load_keras
from tumorscope.networks.body import backbone_of
from tumorscope.networks.network import build
from tumorscope.networks.weights import load_weights
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import CORRECTS_TWICE, Recipe

if TYPE_CHECKING:
    import keras


def start(recipe: Recipe, weights: str | Path) -> tuple[keras.Model, Weights]:
    """Build the network with its starting weights, and make what follows reproducible.

    Returns
    -------
    tuple
        The model, and where its weights come from.
    """
    load_keras()
    import keras

    if recipe.corrects_twice:
        say(f'{CORRECTS_TWICE} Set class_weights = "none" in the recipe.')
    keras.utils.set_random_seed(recipe.seed)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    model = build(recipe)
    origin = load_weights(backbone_of(model), name=recipe.network.backbone, weights=weights)
    return model, origin
