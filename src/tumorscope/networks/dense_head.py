"""The dense head: a logit at every place, and their log-sum-exp as that of the image.

Two maps make the local logits, the last features and the last finer ones, so that a place is as
fine as the one and knows as much as the other (as in a feature pyramid, Lin et al. 2017,
arXiv:1612.03144).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.networks.body import input_check_features
from tumorscope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras

POOLING = "pool"
"""Name of the layer whose output is the logit."""

MOST_ACTIVE = 6.0
"""Of the fused map, as in MobileNet: activations that are bounded are stored well in 8 bits."""


def with_dense_head(backbone: keras.Model, recipe: Recipe) -> keras.Model:
    """Put the dense head on a backbone.

    Parameters
    ----------
    backbone : keras.Model
        From float32 (n, size, size, 3) to a map (n, h, w, channels).
    recipe : Recipe
        ``network.channels``, ``network.temperature``, ``network.dropout`` and the task.

    Returns
    -------
    keras.Model
        Output: probability, float32 (n, 1), or (n, 4) of the task "tumour-type".
    """
    import keras

    from tumorscope.networks.dense_layers import EnlargeTo, LogSumExpPooling

    image = keras.Input(backbone.input.shape[1:], name="image")
    taps = [input_check_features(backbone), backbone.output]
    finer, last = keras.Model(backbone.input, taps, name=backbone.name)(image)
    layers, network = keras.layers, recipe.network
    typed = recipe.task == "tumour-type"
    head = [
        layers.SpatialDropout2D(network.dropout, name="dropout"),
        layers.Conv2D(network.channels, 1, use_bias=False, name="coarse"),
        EnlargeTo(name="enlarge"),
        # Its bias is that of both maps together.
        layers.Conv2D(network.channels, 1, name="fine"),
        layers.Add(name="add"),
        layers.ReLU(MOST_ACTIVE, name="relu"),
        layers.Conv2D(len(TYPE_CLASSES) if typed else 1, 1, name="local"),
        LogSumExpPooling(network.temperature, name=POOLING),
        layers.Activation("softmax" if typed else "sigmoid", name="probability"),
    ]
    named = {layer.name: layer for layer in head}
    _, probability = apply_dense_head(named.__getitem__, finer, last)
    return keras.Model(image, probability, name="tumorscope")


def apply_dense_head(
    layer: Callable[[str], keras.Layer], finer: keras.KerasTensor, last: keras.KerasTensor
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Call the layers of a dense head on maps of any size.

    Parameters
    ----------
    layer : callable
        Returns a layer of the head by its name, as ``model.get_layer`` does.
    finer, last : KerasTensor
        What the head takes of the backbone; see `tumorscope.networks.body.taps_of`.

    Returns
    -------
    tuple of KerasTensor
        Local logits (n, h, w, classes) on the grid of `finer`, and the probability (n, classes).
    """
    coarse = layer("coarse")(layer("dropout")(last))
    enlarged = layer("enlarge")([coarse, finer])
    active = layer("relu")(layer("add")([layer("fine")(finer), enlarged]))
    local = layer("local")(active)
    return local, layer("probability")(layer(POOLING)(local))
