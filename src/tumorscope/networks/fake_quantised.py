"""A backbone that rounds as its 8-bit form will, and trains all the same.

Weights and activations are rounded to values that 8 bits can hold, and gradients pass as if they
had not been (Jacob et al. 2018, arXiv:1712.05877; Bengio et al. 2013, arXiv:1308.3432). What is
rounded, and to what, is what `tumorscope.conversion.int8` does: kernels with their normalisation
folded in, symmetrically, with a scale for each output channel; and with a range for each map the
picture, and what convolutions and additions make, or the ReLU behind them. The head stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True, eq=False)
class FakeQuantised:
    """A backbone that rounds.

    Attributes
    ----------
    model : keras.Model
        Takes and gives what the original does, and shares its variables.
    observer : keras.Model
        The original: from pictures to the least and greatest value of each map that `model`
        rounds, float32 (2,), and to what rounding each kernel adds to the means of its channels,
        float32 (channels,); by the name of the layer that rounds.
    """

    model: keras.Model
    observer: keras.Model

    def calibrate(self, batches: Iterable[NDArray[np.float32]]) -> None:
        """Set ranges of activations and shifts of biases, as the unrounded backbone has them.

        Parameters
        ----------
        batches : iterable of ndarray of float32, shape (n, size, size, 3)
            Scaled as the network takes them; at least one.
        """
        from tumorscope.networks.fake_quantised_layers import Rounded

        found, sizes = [], []
        for batch in batches:
            found.append(self.observer.predict_on_batch(batch))
            sizes.append(len(batch))
        for name in found[0]:
            values, layer = np.stack([each[name] for each in found]), self.model.get_layer(name)
            if isinstance(layer, Rounded):
                layer.set_range(values[:, 0].min(), values[:, 1].max())
            else:
                layer.shift.assign(np.average(values, axis=0, weights=sizes))

    def settle(self, batches: Iterable[NDArray[np.float32]]) -> None:
        """Calibrate, and give the shared variables the values that rounding makes of them.

        The original then has kernels that 8 bits hold exactly, and what a conversion still rounds
        is activations.
        """
        self.calibrate(batches)
        for layer in self.model.layers:
            if hasattr(layer, "settle"):
                layer.settle()


def fake_quantised(backbone: keras.Model, *, grey: bool) -> FakeQuantised:
    """Return a backbone that rounds weights and activations; it shares the backbone's variables.

    Parameters
    ----------
    backbone : keras.Model
        From float32 (n, size, size, 3) to one map or several.
    grey : bool
        Whether the three channels of its pictures are equal, so that the model file sums the first
        kernel over them before it is rounded.

    Returns
    -------
    FakeQuantised
        `FakeQuantised.calibrate` sets its ranges, before anything else is asked of it.
    """
    import keras

    copier = _Copier(backbone, grey)
    model = keras.models.clone_model(
        backbone, clone_function=lambda layer: layer, call_function=copier.follow
    )
    return FakeQuantised(model, keras.Model(backbone.input, copier.observed))


class _Copier:
    """Follows the calls of a backbone's layers, and makes others of them."""

    def __init__(self, backbone: keras.Model, grey: bool) -> None:
        self.backbone, self.grey = backbone, grey
        self.plan = _plan(backbone)
        self.observed: dict[str, keras.KerasTensor] = {}
        self.rounded: set[int] = set()
        self.kept: list[Any] = []  # ids are unique only among living objects

    def follow(self, layer: keras.Layer, *args: Any, **options: Any) -> Any:
        """Call what a layer becomes."""
        import keras

        if layer.name in self.plan.folded:
            tensor = args[0]
        elif layer.name in self.plan.convolutions:
            tensor = self._convolved(layer, args[0])
        else:
            tensor = layer(*args, **options)
            # What pads adds zeros, which every range holds.
            if isinstance(layer, keras.layers.ZeroPadding2D) and id(args[0]) in self.rounded:
                self.rounded.add(id(tensor))
        self.kept.append(tensor)
        return self._rounded(tensor, layer.output) if layer.name in self.plan.ends else tensor

    def _convolved(self, layer: keras.Layer, picture: Any) -> Any:
        from tumorscope.networks.fake_quantised_layers import FoldedConvolution, MeanError

        name, normal = f"{layer.name}_folded", self.plan.convolutions[layer.name]
        grey = self.grey and _on_image(layer, self.backbone)
        folded = FoldedConvolution(layer, normal, grey=grey, name=name)
        made = folded(self._rounded(picture, layer.input))
        if folded.has_bias:
            self.observed[name] = MeanError(folded, name=f"{layer.name}_error")(layer.input)
        return made

    def _rounded(self, tensor: Any, original: keras.KerasTensor) -> Any:
        import keras

        from tumorscope.networks.fake_quantised_layers import Rounded

        if id(tensor) in self.rounded:
            return tensor
        name = f"{_maker(original).name}_rounded"
        extent = [keras.ops.min(original), keras.ops.max(original)]
        self.observed[name] = keras.ops.stack(extent)
        made = Rounded(name=name)(tensor)
        self.kept.append(made)
        self.rounded.add(id(made))
        return made


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of the layers of a backbone, by name."""

    convolutions: dict[str, keras.Layer | None] = field(default_factory=dict)
    """With the normalisation behind them, if any."""
    folded: set[str] = field(default_factory=set)
    """Those normalisations."""
    ends: set[str] = field(default_factory=set)
    """Whose output is rounded."""


def _plan(backbone: keras.Model) -> _Plan:
    import keras

    layers = keras.layers
    behind = _behind(backbone)
    plan = _Plan()
    for layer in backbone.layers:
        if isinstance(layer, layers.Add):
            plan.ends.add((behind(layer, layers.ReLU) or layer).name)
        if (
            not isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)
            or getattr(layer, "groups", 1) != 1
        ):
            continue
        activation = layer.activation.__name__
        normal = behind(layer, layers.BatchNormalization) if activation == "linear" else None
        plan.convolutions[layer.name] = normal
        end = normal or layer
        if normal is not None:
            plan.folded.add(normal.name)
        # Behind another activation, nothing rounds until the next convolution takes it.
        if activation in ("linear", "relu"):
            plan.ends.add((behind(end, layers.ReLU) or end).name)
    return plan


def _behind(backbone: keras.Model) -> Callable[[keras.Layer, type], keras.Layer | None]:
    """Return what finds the one layer that takes what another makes, if it is of a kind."""
    import keras

    takers: dict[int, list[Any]] = {id(tensor): [None] for tensor in backbone.outputs}
    for operation in backbone.operations:
        if not isinstance(operation, keras.layers.InputLayer):
            for tensor in keras.tree.flatten(operation.input):
                takers.setdefault(id(tensor), []).append(operation)

    def behind(layer: keras.Layer, kind: type) -> keras.Layer | None:
        found = takers[id(layer.output)]
        return found[0] if len(found) == 1 and isinstance(found[0], kind) else None

    return behind


def _maker(tensor: keras.KerasTensor) -> Any:
    """Return the layer or operation that makes a tensor."""
    return tensor._keras_history.operation


def _on_image(layer: keras.Layer, backbone: keras.Model) -> bool:
    """Return whether a layer looks at the picture, padded or not."""
    import keras

    source = layer.input
    while isinstance(_maker(source), keras.layers.ZeroPadding2D):
        source = _maker(source).input
    return source is backbone.input
