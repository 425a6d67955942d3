"""Backbone + head → the Keras model, and the two halves it is trained in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.errors import InputError
from tumorscope.networks.backbones import build_backbone
from tumorscope.networks.backend import load_keras
from tumorscope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras

WHOLE = "input"
"""`split_at` that leaves nothing frozen."""


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One line of the paper's Figure 2."""

    layer: str
    output_shape: str
    parameters: int


def build(recipe: Recipe) -> keras.Model:
    """Build the network of a recipe with random weights.

    The paper's head: backbone → Flatten → Dense (ReLU) → BatchNormalization → Dropout → Dense 1
    (sigmoid), with the layer names that its Figure 2 shows. The pooled head: backbone →
    GlobalAveragePooling2D → Dropout → Dense 1 (sigmoid). Input: float32 (n, size, size, 3),
    scaled as ``recipe.input.scaling`` says; output: probability of tumour, float32 (n, 1). With the
    task "tumour-type" the last layer is Dense 4 (softmax) and the output float32 (n, 4), in the
    order of `tumorscope.common.classes.TYPE_CLASSES`.
    """
    load_keras()
    import keras

    layers = keras.layers
    network = recipe.network
    typed = recipe.task == "tumour-type"
    units, activation = (len(TYPE_CLASSES), "softmax") if typed else (1, "sigmoid")
    if network.head == "flatten":
        head = [
            layers.Flatten(name="flatten"),
            layers.Dense(network.units, activation="relu", name="dense"),
            layers.BatchNormalization(name="batch_normalization"),
            layers.Dropout(network.dropout, name="dropout"),
            layers.Dense(units, activation=activation, name="dense_1"),
        ]
    else:
        head = [
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dropout(network.dropout, name="dropout"),
            layers.Dense(units, activation=activation, name="dense"),
        ]
    backbone = build_backbone(network.backbone, recipe.input.size)
    return keras.Sequential([backbone, *head], name="tumorscope")


def summarise(model: keras.Model) -> list[LayerSummary]:
    """Return layer, output shape and parameters of every layer, as ``Model.summary`` names them."""
    return [
        LayerSummary(
            layer=f"{layer.name} ({type(layer).__name__})",
            output_shape=str(tuple(layer.output.shape)),
            parameters=int(layer.count_params()),
        )
        for layer in model.layers
    ]


def trainable_part(
    model: keras.Model, *, from_layer: str | None, batch_norm: str, size: int | None = None
) -> keras.Model:
    """Return the part of `model` that a phase trains; it shares the model's layers.

    Parameters
    ----------
    model : keras.Model
        As made by `build`.
    from_layer : str or None
        First layer of the backbone that trains, "input" for all of it, None for the head alone.
        What comes before is frozen, and the part starts from its output.
    batch_norm : {"frozen", "training"}
        What batch normalisation inside the trained backbone does; see `Recipe`.
    size : int, optional
        Edge of the pictures it takes, where all of the backbone trains; by default the model's.

    Raises
    ------
    InputError
        If the backbone has no such layer, or a shortcut crosses it.
    """
    import keras

    backbone = model.layers[0]
    if from_layer is None:
        entry = keras.Input(backbone.output.shape[1:])
        tensor = entry
    else:
        tail = _tail(backbone, from_layer)
        for layer in tail.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # Calling the tail with training=False would say the same, but Keras 3.15 lets the
                # mode of the outer model win over it.
                layer.trainable = batch_norm == "training"
        shape = tail.input.shape[1:]
        if size is not None and from_layer == WHOLE and size != shape[0]:
            shape = (size, size, shape[-1])
            # The same layers on smaller pictures: convolutions do not ask for a size.
            tail = keras.models.clone_model(
                tail, input_tensors=keras.Input(shape), clone_function=lambda layer: layer
            )
        entry = keras.Input(shape)
        tensor = tail(entry)
    for layer in model.layers[1:]:
        tensor = layer(tensor)
    return keras.Model(entry, tensor)


def frozen_part(model: keras.Model, *, from_layer: str | None) -> keras.Model | None:
    """Return the part of the backbone before `from_layer`, all of it for None, None for "input"."""
    import keras

    backbone = model.layers[0]
    if from_layer is None:
        return backbone
    if from_layer == WHOLE:
        return None
    return keras.Model(backbone.input, _entrance(backbone, from_layer))


def input_check_features(backbone: keras.Model) -> keras.KerasTensor:
    """Return the features that the input check looks at: the last finer than the output.

    Training the whole network leaves little in its last features but the answer, so that a page of
    text lies as near as a brain. A stage earlier they still describe the picture: in MobileNetV2
    "block_13_expand_relu", (n, 14, 14, 576) of 224-pixel images.
    """
    import keras

    edge = backbone.output.shape[1]
    finer = [
        layer.output
        for layer in backbone.layers[1:]
        if not isinstance(layer, keras.layers.ZeroPadding2D)
        and len(layer.output.shape) == 4
        and layer.output.shape[1] > edge
    ]
    return finer[-1] if finer else backbone.output


def _tail(backbone: keras.Model, from_layer: str) -> keras.Model:
    import keras

    if from_layer == WHOLE:
        return backbone
    try:
        return keras.Model(_entrance(backbone, from_layer), backbone.output)
    except ValueError as error:
        raise InputError(
            f"Cannot cut {backbone.name} at {from_layer}: a shortcut runs past it. Expected the "
            "first layer of a block, such as block_13_expand, in fine_tuning.from_layer."
        ) from error


def _entrance(backbone: keras.Model, from_layer: str) -> keras.KerasTensor:
    layers = {layer.name: layer for layer in backbone.layers}
    if from_layer not in layers or isinstance(layers[from_layer].input, list):
        starts = [name for name in layers if name.endswith("_expand")] or list(layers)[1:]
        raise InputError(
            f"fine_tuning.from_layer is {from_layer!r}, at which {backbone.name} cannot be cut. "
            f"Expected input, or one of its layers such as {', '.join(starts[-4:])}."
        )
    return layers[from_layer].input
