"""Grey values → what a network's input expects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Channels = float | tuple[float, float, float]
"""One number for all three channels of the network's input, or one for each."""

SCALINGS: dict[str, tuple[Channels, Channels]] = {
    "unit": (1 / 255.0, 0.0),
    "symmetric": (1 / 127.5, -1.0),
    "imagenet": (
        (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)),
        (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
    ),
    "caffe": (1.0, (-103.939, -116.779, -123.68)),
}
"""Name → (scale, offset): grey value g enters each channel as ``g * scale + offset``.

The last two are "torch" and "caffe" of ``keras.applications.imagenet_utils``: mean and standard
deviation of ImageNet's red, green and blue (of 0…1), and means of blue, green and red (of 0…255).
"""


def network_input(pixels: NDArray[np.uint8], scaling: str) -> NDArray[np.float32]:
    """Return grey images uint8 (n, h, w) as network input float32 (n, h, w, 3).

    Examples
    --------
    >>> white = np.full((1, 2, 2), 255, np.uint8)
    >>> network_input(white, "symmetric")[0, 0, 0].tolist()
    [1.0, 1.0, 1.0]
    >>> network_input(white, "caffe")[0, 0, 0].astype(int).tolist()  # each channel its own
    [151, 138, 131]
    """
    scale, offset = (np.asarray(values, dtype=np.float32) for values in SCALINGS[scaling])
    if scale.ndim == offset.ndim == 0:
        return np.repeat((pixels.astype(np.float32) * scale + offset)[..., None], 3, axis=-1)
    values: NDArray[np.float32] = pixels[..., None].astype(np.float32) * scale + offset
    return values
