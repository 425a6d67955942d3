"""Whether a model file says what the Keras network says that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import ask
from tumorscope.cohort.arrays import BATCH, batches
from tumorscope.common.errors import HonestyError
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.networks.body import head_of
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.recipe import Recipe
from tumorscope.statistics.platt import sigmoid

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-4
"""Largest difference of a probability between Keras and the model file that passes."""

FEWEST_COMPARED = 64


def compare_with_keras(
    written: ModelFile, model: keras.Model, recipe: Recipe, pixels: NDArray[np.uint8]
) -> None:
    """Refuse the model file unless it says what Keras says, and its evidence adds up.

    Cohorts of fewer than 64 images are mirrored and turned, up to six views of each.
    """
    several = [pixels]
    for turned in (
        pixels[:, :, ::-1],
        pixels[:, ::-1],
        *(np.rot90(pixels, k, (1, 2)) for k in (1, 2, 3)),
    ):
        if sum(map(len, several)) < FEWEST_COMPARED:
            several.append(turned)
    compared = np.concatenate(several)
    if len(compared) > 4 * FEWEST_COMPARED:
        compared = compared[:: len(compared) // (2 * FEWEST_COMPARED)]
    outputs = ask(open_engine(written, "onnxruntime"), compared)
    total = outputs.evidence.sum(axis=(1, 2)) + outputs.bias
    calibration = written.metadata.calibration
    expected = sigmoid(
        calibration.slope * _keras_logits(model, compared, recipe) + calibration.intercept
    )
    difference = float(np.abs(outputs.probability - expected).max())
    gap = float(np.abs(total - outputs.logit).max())
    # "not <=" so that NaN fails too.
    if not difference <= TOLERANCE or not gap <= 1e-3:
        raise HonestyError(
            f"The model file differs from Keras: the largest difference of a probability on "
            f"{len(compared)} images is {difference:.2g}, that of evidence and logit {gap:.2g}. "
            f"Expected at most {TOLERANCE:g} and 0.001. Nothing was written; please report it."
        )


def _keras_logits(
    model: keras.Model, pixels: NDArray[np.uint8], recipe: Recipe
) -> NDArray[np.float64]:
    """Return what Keras puts into its sigmoid, which float32 rounds to 1 for logits above 17."""
    import keras

    last = head_of(model)[-1]
    before_last = keras.Model(model.inputs, last.input)
    values = np.concatenate(
        [
            np.asarray(before_last.predict_on_batch(network_input(part, recipe.input.scaling)))
            for part in (pixels[batch] for batch in batches(np.arange(len(pixels)), BATCH))
        ]
    )
    logits: NDArray[np.float64] = values.astype(np.float64)
    if last.weights:  # else it is an activation alone
        kernel, bias = (np.asarray(each, dtype=np.float64) for each in last.get_weights())
        logits = logits @ kernel + bias
    return logits.ravel()
