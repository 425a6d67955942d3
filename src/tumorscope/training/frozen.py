"""The frozen part of the backbone, run by the fastest engine at hand and never twice.

Where the notebook that everyone starts from spends its time is here: 20 epochs push every image
through 2.2 M weights that do not change. Three things make that cheap: ONNX Runtime does the
pass, one pass yields what both phases need, and the result of an augmented version is kept for
the next epoch that uses it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.training.augment import augment
from tumorscope.training.network import WHOLE, frozen_part
from tumorscope.training.onnx_graph import UnsupportedLayerError, feature_graph
from tumorscope.training.recipe import Augmentation, Recipe

if TYPE_CHECKING:
    import keras

SCALINGS = {"unit": (1 / 255.0, 0.0), "symmetric": (1 / 127.5, -1.0)}
"""Name → (scale, offset): grey value g enters the network as ``g * scale + offset``."""

BATCH = 32
"""Images that are extracted or scored at a time; more would only take more memory."""

CACHE_BYTES = 1 << 30
"""Features above this are computed again instead of kept."""

Entry = str | None
"""Where a trained part starts: None the head, "input" the image, else a layer of the backbone."""

Features = dict[Entry, NDArray[np.generic]]


def network_input(pixels: NDArray[np.uint8], scaling: str) -> NDArray[np.float32]:
    """Return grey images uint8 (n, h, w) as network input float32 (n, h, w, 3)."""
    scale, offset = SCALINGS[scaling]
    values = pixels.astype(np.float32) * np.float32(scale) + np.float32(offset)
    return np.repeat(values[..., None], 3, axis=-1)


def extractor(
    model: keras.Model, recipe: Recipe, entries: Sequence[Entry]
) -> Callable[[NDArray[np.uint8]], Features]:
    """Return a function from grey images uint8 (n, h, w) to what each entry receives.

    Features are float16: MobileNetV2's are clipped to 0…6, where that is exact to 0.002, and
    halving them halves the memory traffic that bounds training the head.

    Runs in ONNX Runtime; in Keras where the backbone has layers that have no translation.
    """
    scaling = recipe.input.scaling
    cut = [entry for entry in entries if entry != WHOLE]
    parts = [part for entry in cut if (part := frozen_part(model, from_layer=entry)) is not None]
    run = _engine(model, parts, scaling) if parts else None

    def extract(pixels: NDArray[np.uint8]) -> Features:
        features: Features = {}
        if run is not None:
            features.update(zip(cut, run(pixels), strict=True))
        if WHOLE in entries:
            features[WHOLE] = pixels
        return features

    return extract


def _engine(
    model: keras.Model, parts: Sequence[keras.Model], scaling: str
) -> Callable[[NDArray[np.uint8]], list[NDArray[np.float16]]]:
    import keras

    taps = [part.output for part in parts]
    backbone = model.layers[0]
    scale, offset = SCALINGS[scaling]
    try:
        graph = feature_graph(backbone, taps=taps, scale=scale, offset=offset)
    except UnsupportedLayerError:
        network = keras.Model(backbone.input, taps)

        def run_keras(pixels: NDArray[np.uint8]) -> list[NDArray[np.float16]]:
            outputs = network.predict_on_batch(network_input(pixels, scaling))
            return [np.asarray(output, dtype=np.float16) for output in outputs]

        return run_keras

    import onnxruntime

    # One image per thread beats several threads on one image, whose layers are too small to share.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    pool = ThreadPoolExecutor(os.cpu_count())

    def run_one(image: NDArray[np.uint8]) -> list[NDArray[np.float16]]:
        return [output.astype(np.float16) for output in session.run(None, {"pixels": image[None]})]

    def run_onnx(pixels: NDArray[np.uint8]) -> list[NDArray[np.float16]]:
        return [np.concatenate(outputs) for outputs in zip(*pool.map(run_one, pixels), strict=True)]

    return run_onnx


class FeatureStore:
    """What the trained part receives, for every image and augmented version, computed once.

    Parameters
    ----------
    extract : callable
        As made by `extractor`.
    pixels : ndarray of uint8, shape (n, size, size)
        Prepared images of the whole cohort; positions in it identify images.
    ranges : Augmentation
        Of training images.
    seed : int
        Of the run.
    limit : int
        Bytes to keep; what does not fit is computed again each time.
    """

    def __init__(
        self,
        extract: Callable[[NDArray[np.uint8]], Features],
        pixels: NDArray[np.uint8],
        *,
        ranges: Augmentation,
        seed: int,
        limit: int = CACHE_BYTES,
    ) -> None:
        self._extract = extract
        self._pixels = pixels
        self._ranges = ranges
        self._seed = seed
        self._room = limit
        self._kept: dict[tuple[int, int], Features] = {}

    def augmented(
        self, indices: NDArray[np.int64], *, epoch: int, entry: Entry
    ) -> NDArray[np.generic]:
        """Return the features of the version of each image that belongs to `epoch`."""
        variants = self._ranges.variants
        return self._get(indices, epoch % variants if variants else epoch, entry)

    def plain(self, indices: NDArray[np.int64], *, entry: Entry) -> NDArray[np.generic]:
        """Return the features of images as they are."""
        return self._get(indices, -1, entry)

    def _get(self, indices: NDArray[np.int64], variant: int, entry: Entry) -> NDArray[np.generic]:
        missing = np.array([i for i in indices if (int(i), variant) not in self._kept], np.int64)
        fresh = self._compute(missing, variant) if len(missing) else {}
        return np.stack(
            [(fresh.get(int(i)) or self._kept[int(i), variant])[entry] for i in indices]
        )

    def _compute(self, indices: NDArray[np.int64], variant: int) -> dict[int, Features]:
        pixels = self._pixels[indices]
        if variant >= 0:
            pixels = augment(
                pixels, self._ranges, seed=self._seed, indices=indices, variant=variant
            )
        fresh: dict[int, Features] = {}
        for position, index in enumerate(indices):
            if position % BATCH == 0:
                outputs = self._extract(pixels[position : position + BATCH])
            # Copies, so that one kept image does not hold its whole batch in memory.
            one: Features = {
                entry: values[position % BATCH].copy() for entry, values in outputs.items()
            }
            fresh[int(index)] = one
            size = sum(values.nbytes for values in one.values())
            # A new version every epoch is never asked for again.
            if size <= self._room and (variant < 0 or self._ranges.variants):
                self._room -= size
                self._kept[int(index), variant] = one
        return fresh
