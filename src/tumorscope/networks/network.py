"""A recipe → the Keras model of its backbone and head; what is saved of it is read here too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.networks.backbones import build_backbone
from tumorscope.networks.backend import load_keras
from tumorscope.networks.dense_head import with_dense_head
from tumorscope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras


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
    GlobalAveragePooling2D → Dropout → Dense 1 (sigmoid). The dense head:
    `tumorscope.networks.dense_head`. Input: float32 (n, size, size, 3), scaled as
    ``recipe.input.scaling`` says; output: probability of tumour, float32 (n, 1). With the task
    "tumour-type" the last layer is Dense 4 (softmax) and the output float32 (n, 4), in the order of
    `tumorscope.common.classes.TYPE_CLASSES`.
    """
    load_keras()
    import keras

    layers = keras.layers
    network = recipe.network
    if network.head == "dense":
        return with_dense_head(build_backbone(network.backbone, recipe.input.size), recipe)
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
    # After the head: each layer draws a seed when it is made, so the order decides random weights.
    backbone = build_backbone(network.backbone, recipe.input.size)
    return keras.Sequential([backbone, *head], name="tumorscope")


def load(path: str | Path) -> keras.Model:
    """Load a network that was saved as ``model.keras``, whatever its head.

    Raises
    ------
    OSError, ValueError, KeyError, zipfile.BadZipFile
        If it is missing or damaged.
    """
    load_keras()
    import keras

    from tumorscope.networks import dense_layers  # noqa: F401 - Keras finds its layers then

    return keras.models.load_model(path)


def summarise(model: keras.Model) -> list[LayerSummary]:
    """Return layer, output shape and parameters of every layer, as ``Model.summary`` names them.

    Of a backbone whose head takes two maps, both shapes are told.
    """
    import keras

    summaries = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        outputs = layer.output if isinstance(layer.output, list) else [layer.output]
        summaries.append(
            LayerSummary(
                layer=f"{layer.name} ({type(layer).__name__})",
                output_shape=" and ".join(str(tuple(output.shape)) for output in outputs),
                parameters=int(layer.count_params()),
            )
        )
    return summaries
