"""The loss on places: the lesion found where it is, and nothing where none is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def places_loss(places: keras.KerasTensor, local: keras.KerasTensor) -> keras.KerasTensor:
    """Return the loss on places of each image, float32 (n,).

    The mean cross-entropy of the places with a lesion, plus that of the places without, so that a
    small lesion counts as much as all that surrounds it; each is 0 where there is no such place.
    Unknown places count in neither.

    Parameters
    ----------
    places : tensor of float32, shape (n, h, w, 1)
        1 lesion, 0 none, −1 unknown; see `tumorscope.training.places.places_of`.
    local : tensor of float32, shape (n, h, w, 1)
        Local logits.

    Examples
    --------
    >>> import numpy as np
    >>> places = np.float32([[[[1], [0], [-1], [0]]]])
    >>> local = np.float32([[[[2], [-2], [9], [2]]]])
    >>> [round(float(each), 3) for each in places_loss(places, local)]  # 0.127 + 2.254 / 2
    [1.254]
    """
    import keras

    ops = keras.ops
    local = ops.convert_to_tensor(local)
    lesion = ops.cast(places > 0.5, local.dtype)
    none = ops.cast(ops.abs(places) < 0.5, local.dtype)
    # −ln sigmoid(l), and −ln (1 − sigmoid(l)), of logits of any size.
    missed, false = ops.softplus(-local), ops.softplus(local)
    return _mean(missed, lesion) + _mean(false, none)


def _mean(values: keras.KerasTensor, counted: keras.KerasTensor) -> keras.KerasTensor:
    import keras

    ops, each = keras.ops, (1, 2, 3)
    return ops.sum(values * counted, axis=each) / ops.maximum(ops.sum(counted, axis=each), 1.0)
