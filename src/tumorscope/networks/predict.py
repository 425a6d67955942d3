"""A Keras network's scores of prepared images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import BATCH, batches
from tumorscope.common.progress import track
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras


def predict(model: keras.Model, pixels: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.float64]:
    """Return the scores of prepared images uint8 (n, h, w).

    Returns
    -------
    ndarray of float64
        (n,), the probability of tumour; of the task "tumour-type" (n, classes), rows sum to 1.
    """
    scores = np.empty((len(pixels), model.output_shape[-1]), dtype=np.float64)
    parts = list(batches(np.arange(len(pixels)), BATCH))
    for batch in track(parts, "Scoring"):
        # The last batch is filled up, because another shape would be compiled again.
        filled = pixels[np.resize(batch, BATCH)]
        outputs = model.predict_on_batch(network_input(filled, recipe.input.scaling))
        scores[batch] = np.asarray(outputs, dtype=np.float64)[: len(batch)]
    return scores if recipe.task == "tumour-type" else scores[:, 0]
