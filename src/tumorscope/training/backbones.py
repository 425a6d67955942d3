"""The backbones by name: each a plain function that returns a Keras model without its top."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError

if TYPE_CHECKING:
    import keras

Builder = Callable[[int], "keras.Model"]

_BUILDERS: dict[str, Builder] = {}


def register(builder: Builder) -> Builder:
    """Make a function available as ``network.backbone`` under its own name."""
    _BUILDERS[builder.__name__] = builder
    return builder


def names() -> tuple[str, ...]:
    """Return the names of all backbones, sorted."""
    return tuple(sorted(_BUILDERS))


def build_backbone(name: str, size: int) -> keras.Model:
    """Build a backbone with random weights.

    Parameters
    ----------
    name : str
        One of `names()`.
    size : int
        Edge length of the square input in pixels; the input has three channels.

    Raises
    ------
    InputError
        If there is no such backbone.
    """
    if name not in _BUILDERS:
        raise InputError(
            f"There is no backbone {name!r}. Expected one of {', '.join(names())} as "
            "network.backbone of the recipe."
        )
    return _BUILDERS[name](size)


@register
def mobilenet_v2(size: int) -> keras.Model:
    """MobileNetV2 1.0 (Sandler et al. 2018, arXiv:1801.04381), 2,257,984 parameters."""
    import keras

    return keras.applications.MobileNetV2(
        input_shape=(size, size, 3),
        include_top=False,
        weights=None,
        name=f"mobilenetv2_1.00_{size}",
    )


@register
def small_cnn(size: int) -> keras.Model:
    """Five convolutions with batch normalisation: learns from scratch in a minute on a CPU."""
    import keras

    image = keras.Input((size, size, 3))
    tensor = image
    for index, filters in enumerate((16, 24, 32, 48, 64)):
        tensor = keras.layers.Conv2D(
            filters, 3, strides=2, padding="same", use_bias=False, name=f"conv_{index}"
        )(tensor)
        tensor = keras.layers.BatchNormalization(momentum=0.9, name=f"bn_{index}")(tensor)
        tensor = keras.layers.ReLU(name=f"relu_{index}")(tensor)
    return keras.Model(image, tensor, name="small_cnn")
