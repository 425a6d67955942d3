"""What of a network is its backbone, and what of the backbone its head looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def backbone_of(model: keras.Model) -> keras.Model:
    """Return the backbone of a network: from the image to its last features.

    Parameters
    ----------
    model : keras.Model
        As made by `tumorscope.networks.network.build`, or saved and loaded.

    Returns
    -------
    keras.Model
        With one output, (n, h, w, channels); shares the network's layers.
    """
    import keras

    inner = _inner(model)
    if len(inner.outputs) == 1:
        return inner
    return keras.Model(inner.input, inner.outputs[-1], name=inner.name)


def taps_of(model: keras.Model) -> list[keras.KerasTensor]:
    """Return the tensors of the backbone that the head takes: its last features come last."""
    return list(_inner(model).outputs)


def head_of(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a network that are not its backbone; the last makes the output."""
    import keras

    inner = _inner(model)
    others = (each for each in model.layers if each is not inner)
    return [each for each in others if not isinstance(each, keras.layers.InputLayer)]


def input_check_features(backbone: keras.Model) -> keras.KerasTensor:
    """Return the features that the input check looks at: the last finer than the output.

    Training the whole network leaves little in its last features but the answer, so that a page of
    text lies as near as a brain. A stage earlier they still describe the picture: in MobileNetV2
    "block_13_expand_relu", (n, 14, 14, 576) of 224-pixel images. The dense head looks at them too.
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


def _inner(model: keras.Model) -> keras.Model:
    """Return the backbone as it lies in the network, with an output for each tap."""
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.Model))
