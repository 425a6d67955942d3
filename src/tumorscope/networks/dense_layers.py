"""The layers of the dense head that Keras lacks; `load_keras` comes before importing this module.

Registered, so that Keras finds them in a saved network once this module is imported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras


@keras.saving.register_keras_serializable(package="tumorscope")
class EnlargeTo(keras.layers.Layer):  # type: ignore[misc]
    """Resizes the first of two maps to the size of the second: bilinear, half-pixel centres.

    Called on ``[coarse, fine]``, of shapes (n, h, w, channels); returns the coarse one at the
    height and width of the fine one.
    """

    def call(self, maps: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """Return the enlarged map."""
        coarse, fine = maps
        height, width = fine.shape[1:3]
        if coarse.shape[1:3] == (height, width):
            return coarse
        return keras.ops.image.resize(
            coarse,
            (height, width),
            interpolation="bilinear",
            antialias=False,
            data_format="channels_last",
        )


@keras.saving.register_keras_serializable(package="tumorscope")
class LogSumExpPooling(keras.layers.Layer):  # type: ignore[misc]
    """Local logits → one logit for each class: ``(logsumexp(r·l) − ln N) / r`` over N places.

    The same value everywhere is returned as it is, whatever N; so a network trains on smaller
    pictures too.

    Parameters
    ----------
    temperature : float
        r: near 0 the mean, the larger, the nearer to the maximum (Pinheiro & Collobert 2015,
        arXiv:1411.6228).
    """

    def __init__(self, temperature: float = 1.0, **options: object) -> None:
        super().__init__(**options)
        self.temperature = temperature

    def call(self, local: keras.KerasTensor) -> keras.KerasTensor:
        """Pool (n, h, w, classes) to (n, classes)."""
        places = local.shape[1] * local.shape[2]
        total = keras.ops.logsumexp(local * self.temperature, axis=(1, 2))
        return (total - math.log(places)) / self.temperature

    def get_config(self) -> dict[str, object]:
        """Return what `__init__` takes."""
        return {**super().get_config(), "temperature": self.temperature}
