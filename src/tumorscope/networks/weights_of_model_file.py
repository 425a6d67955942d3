"""The backbone of a model file as starting weights, and what it has already seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.detection.detector import PACKAGED
from tumorscope.model_file.onnx_file import ModelFile, read_model
from tumorscope.networks.dense_evidence import CONVOLUTIONS
from tumorscope.networks.stored_weights import constants_of
from tumorscope.recipes.origin import Weights

if TYPE_CHECKING:
    import keras


MRI = "mri"
"""What `--weights` calls the backbone of the packaged model."""


def load_backbone(backbone: keras.Model, *, name: str, model: Path | None = None) -> Weights:
    """Load the backbone of a model file into a Keras backbone, in place.

    In the file every batch normalisation is folded into the convolution before it and the three
    equal channels of the image into one. Here the kernel is shared among three channels again, and
    the normalisation becomes the addition of the folded bias, so that it computes the same.

    Parameters
    ----------
    backbone : keras.Model
        As built by `tumorscope.networks.backbones.build_backbone`.
    name : str
        Its name in the registry.
    model : Path, optional
        The model file; by default the one in the package.

    Returns
    -------
    Weights
        Which model it came from.

    Raises
    ------
    InputError
        If the file holds another backbone, or cannot be read.
    """
    file = read_model(model or PACKAGED)
    theirs = _theirs(file)
    if theirs != name:
        raise InputError(
            f"The weights {MRI} are of the backbone {theirs}, and the recipe asks for {name}. "
            f'Expected network.backbone = "{theirs}". Change the recipe, or use other weights.'
        )
    stored = _convolutions(file)
    layers = _in_order(backbone)
    if len(stored) != len(layers):
        raise InputError(
            f"{file.path} holds {len(stored)} convolutions; {name} has {len(layers)}. Expected a "
            "model file of this backbone. Use other weights."
        )
    for (kernel, bias), (convolution, normalisation) in zip(stored, layers, strict=True):
        _assign(convolution, normalisation, kernel, bias)
    return origin_of(file)


def packaged_backbone() -> str | None:
    """Return the backbone whose weights the model in the package has; None where there is none."""
    try:
        return _theirs(read_model(PACKAGED))
    except InputError:
        return None


def origin_of(file: ModelFile) -> Weights:
    """Return which model starting weights come from."""
    return Weights(kind="mri", name=file.metadata.id, digest=file.metadata.graph_sha256)


def _theirs(file: ModelFile) -> str:
    network = file.metadata.recipe.get("network", {})
    return str(network.get("backbone", "")) if isinstance(network, dict) else ""


def _convolutions(file: ModelFile) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return kernel and bias of each convolution of the backbone, in the order of the graph."""
    import onnx

    graph = onnx.load_from_string(file.graph).graph
    arrays = constants_of(graph)
    found = [
        node for node in graph.node if node.op_type == "Conv" and node.name not in CONVOLUTIONS
    ]
    # The pooled head's convolution makes the evidence, and has neither a name nor a bias.
    return [(arrays[node.input[1]], arrays[node.input[2]]) for node in found if len(node.input) > 2]


def _in_order(backbone: keras.Model) -> list[tuple[keras.Layer, keras.Layer]]:
    """Return each convolution with the normalisation that follows it."""
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    normal = [each for each in backbone.layers if isinstance(each, keras.layers.BatchNormalization)]
    before = {id(each.input): each for each in normal}
    return [
        (layer, before[id(layer.output)]) for layer in backbone.layers if isinstance(layer, kinds)
    ]


def _assign(
    convolution: keras.Layer,
    normalisation: keras.Layer,
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> None:
    wanted = tuple(convolution.kernel.shape)
    # (out, in, h, w) → (h, w, in, out)
    values = kernel.transpose(2, 3, 1, 0)
    if type(convolution).__name__ == "DepthwiseConv2D":
        values = values.reshape(wanted)
    elif values.shape[2] == 1 and wanted[2] == 3:
        values = np.repeat(values / 3.0, 3, axis=2)
    convolution.kernel.assign(values)
    size = len(bias)
    normalisation.gamma.assign(np.full(size, np.sqrt(1.0 + normalisation.epsilon), np.float32))
    normalisation.beta.assign(bias)
    normalisation.moving_mean.assign(np.zeros(size, np.float32))
    normalisation.moving_variance.assign(np.ones(size, np.float32))
