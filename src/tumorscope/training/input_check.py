"""The input check of a run: where brain MRI lies in the network's features, and how far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import BATCH, batches
from tumorscope.cohort.manifest import Manifest
from tumorscope.imaging import prepare
from tumorscope.model_file.schema import Estimate, InputCheck
from tumorscope.networks.body import backbone_of, input_check_features
from tumorscope.networks.feature_engine import feature_engine
from tumorscope.networks.input_check_features import (
    PASSING,
    FeatureSpace,
    held_out_distances,
    limit_of,
)
from tumorscope.recipes.recipe import Recipe
from tumorscope.statistics import Interval, wilson
from tumorscope.synthetic.not_brain import draw_not_brain
from tumorscope.training.held_out import measuring_folds

if TYPE_CHECKING:
    import keras

FEWEST_FOR_A_LIMIT = round(1.0 / (1.0 - PASSING))
"""Images without which the largest distance would be the limit, whatever it is."""


def fit_input_check(
    model: keras.Model,
    recipe: Recipe,
    manifest: Manifest,
    pixels: NDArray[np.uint8],
    known: NDArray[np.bool_],
) -> tuple[FeatureSpace | None, InputCheck]:
    """Fit the space on training and tuning images; measure the limit on the testing images.

    How far other things lie is seen on drawn pictures, because a run has no photographs.
    """
    features = _pooled_features(model, recipe, pixels)
    labels, groups = manifest.labels, manifest.groups
    folds = measuring_folds(labels[known], groups[known])
    if folds is None or known.sum() < FEWEST_FOR_A_LIMIT:
        return None, InputCheck()
    space = FeatureSpace.fit(features[known])
    how = recipe.input.preprocessing
    other = np.stack([prepare(scan, how) for scan in draw_not_brain()])
    others = space.distances(_pooled_features(model, recipe, other))
    limit = limit_of(held_out_distances(features[known], folds), others)
    refused = None
    tested = np.array([row.split == "testing" for row in manifest.rows])
    if tested.any():
        beyond = space.distances(features[tested]) > limit
        refused = _estimate(wilson(int(beyond.sum()), len(beyond)))
    apart = _estimate(wilson(int((others > limit).sum()), len(others)))
    return space, InputCheck(distance=limit, refused_brain=refused, refused_other=apart)


def _pooled_features(
    model: keras.Model, recipe: Recipe, pixels: NDArray[np.uint8]
) -> NDArray[np.float64]:
    backbone = backbone_of(model)
    run = feature_engine(backbone, [input_check_features(backbone)], recipe.input.scaling)
    parts = [
        run(pixels[batch])[0].astype(np.float64).mean(axis=(1, 2))
        for batch in batches(np.arange(len(pixels)), BATCH)
    ]
    return np.concatenate(parts)


def _estimate(interval: Interval) -> Estimate:
    return Estimate(value=interval.value, low=interval.low, high=interval.high)
