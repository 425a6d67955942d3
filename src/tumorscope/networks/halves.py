"""The two halves that a network is trained in: what is frozen, and what a phase trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError
from tumorscope.networks.body import backbone_of, head_of, taps_of
from tumorscope.networks.dense_head import apply_dense_head

if TYPE_CHECKING:
    import keras

WHOLE = "input"
"""`from_layer` that leaves nothing frozen."""

PROBABILITY, LOCAL = "probability", "local"
"""Outputs of a part that is trained on places."""


def trainable_part(
    model: keras.Model,
    *,
    from_layer: str | None,
    batch_norm: str,
    size: int | None = None,
    places: bool = False,
    through: Callable[[keras.Model], keras.Model] | None = None,
) -> keras.Model:
    """Return the part of `model` that a phase trains; it shares the model's layers.

    Parameters
    ----------
    model : keras.Model
        As made by `tumorscope.networks.network.build`.
    from_layer : str or None
        First layer of the backbone that trains, "input" for all of it, None for the head alone.
        What comes before is frozen, and the part starts from its output; see `entrances`.
    batch_norm : {"frozen", "training"}
        What batch normalisation inside the trained backbone does; see `Recipe`.
    size : int, optional
        Edge of the pictures it takes, where all of the backbone trains; by default the model's.
    places : bool
        With the dense head: return a dictionary, the probability under `PROBABILITY` and the local
        logits (n, h, w, classes) under `LOCAL`, instead of the probability alone.
    through : callable, optional
        Takes the trained part of the backbone, and returns what the part has in its place.

    Returns
    -------
    keras.Model
        With one input, or a list of them in the order of `entrances`.

    Raises
    ------
    InputError
        If the backbone has no such layer, or a shortcut crosses it.
    """
    import keras

    if from_layer is None:
        entries = [keras.Input(tap.shape[1:]) for tap in taps_of(model)]
        return keras.Model(_one_or_all(entries), _head(model, entries, places))
    entry, tensors = _trained_tail(model, from_layer, batch_norm, size, through)
    before = _taps_before(model, from_layer)
    if not before:
        return keras.Model(entry, _head(model, tensors, places))
    if before[0] is _entrance(backbone_of(model), from_layer):
        return keras.Model(entry, _head(model, [entry, *tensors], places))
    finer = keras.Input(before[0].shape[1:])
    return keras.Model([entry, finer], _head(model, [finer, *tensors], places))


def entrances(model: keras.Model, *, from_layer: str | None) -> list[keras.KerasTensor]:
    """Return the tensors of the backbone from which a trained part starts.

    Returns
    -------
    list of KerasTensor
        Of `backbone_of`: for None what the head takes; what `from_layer` takes, and what the head
        takes that lies before it; nothing for "input", which takes the image.

    Raises
    ------
    InputError
        If the backbone has no such layer.
    """
    if from_layer is None:
        return taps_of(model)
    if from_layer == WHOLE:
        return []
    entrance = _entrance(backbone_of(model), from_layer)
    return [entrance, *(tap for tap in _taps_before(model, from_layer) if tap is not entrance)]


def _trained_tail(
    model: keras.Model,
    from_layer: str,
    batch_norm: str,
    size: int | None,
    through: Callable[[keras.Model], keras.Model] | None,
) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Return what the backbone takes from a layer on, and what it makes of it for the head."""
    import keras

    taps = taps_of(model)[len(_taps_before(model, from_layer)) :]
    tail = _tail(backbone_of(model), taps, from_layer)
    for layer in tail.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Calling the tail with training=False would say the same, but Keras 3.15 lets the
            # mode of the outer model win over it.
            layer.trainable = batch_norm == "training"
    shape = tail.input.shape[1:]
    if size is not None and from_layer == WHOLE and size != shape[0]:
        shape = (size, size, shape[-1])
        tail = _at_size(tail, size)
    entry = keras.Input(shape)
    if through is not None:
        tail = through(tail)
    made = tail(entry)
    return entry, made if isinstance(made, list) else [made]


def grid_at(model: keras.Model, size: int) -> tuple[int, int]:
    """Return height and width of the finest map that the head takes of pictures of a size."""
    import keras

    finest = keras.Model(backbone_of(model).input, taps_of(model)[0])
    if size != finest.input.shape[1]:
        finest = _at_size(finest, size)
    height, width = finest.output.shape[1:3]
    return int(height), int(width)


def _at_size(part: keras.Model, size: int) -> keras.Model:
    """Return the same layers on pictures of another size, for which convolutions do not ask."""
    import keras

    entry = keras.Input((size, size, part.input.shape[-1]))
    return keras.models.clone_model(part, input_tensors=entry, clone_function=lambda layer: layer)


def _head(
    model: keras.Model, tensors: list[keras.KerasTensor], places: bool
) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
    """Call the head on what it takes of the backbone."""
    if len(tensors) > 1:
        local, probability = apply_dense_head(model.get_layer, *tensors)
        return {PROBABILITY: probability, LOCAL: local} if places else probability
    tensor = tensors[0]
    for layer in head_of(model):
        tensor = layer(tensor)
    return tensor


def _taps_before(model: keras.Model, from_layer: str) -> list[keras.KerasTensor]:
    """Return the finer map that the head takes, where it is made before `from_layer`."""
    import keras

    *finer, _ = taps_of(model)
    if from_layer == WHOLE or not finer:
        return []
    entrance = _entrance(backbone_of(model), from_layer)
    if finer[0] is entrance:
        return finer
    try:
        keras.Model(entrance, finer)
    except ValueError:  # it does not depend on what `from_layer` takes
        return finer
    return []


def _tail(backbone: keras.Model, taps: list[keras.KerasTensor], from_layer: str) -> keras.Model:
    """Return the backbone from a layer on, with an output for each tap."""
    import keras

    if from_layer == WHOLE:
        return backbone if len(taps) == 1 else keras.Model(backbone.input, taps)
    try:
        return keras.Model(_entrance(backbone, from_layer), _one_or_all(taps))
    except ValueError as error:
        raise InputError(
            f"Cannot cut {backbone.name} at {from_layer}: a shortcut runs past it. Expected the "
            "first layer of a block, such as block_13_expand, in fine_tuning.from_layer."
        ) from error


def _one_or_all(
    tensors: list[keras.KerasTensor],
) -> keras.KerasTensor | list[keras.KerasTensor]:
    """Return what Keras takes for a network of one input or output, or of several."""
    return tensors[0] if len(tensors) == 1 else tensors


def _entrance(backbone: keras.Model, from_layer: str) -> keras.KerasTensor:
    layers = {layer.name: layer for layer in backbone.layers}
    if from_layer not in layers or isinstance(layers[from_layer].input, list):
        starts = [name for name in layers if name.endswith("_expand")] or list(layers)[1:]
        raise InputError(
            f"fine_tuning.from_layer is {from_layer!r}, at which {backbone.name} cannot be cut. "
            f"Expected input, or one of its layers such as {', '.join(starts[-4:])}."
        )
    return layers[from_layer].input
