"""Frozen features and a classifier: computed once per image, fitted again in every fold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import BATCH, batches, load_images
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.progress import track
from tumorscope.networks.backbones import lookup as lookup_backbone
from tumorscope.networks.body import backbone_of
from tumorscope.networks.feature_engine import feature_engine
from tumorscope.networks.start import start
from tumorscope.networks.systems import Classifier, System, recipe_for
from tumorscope.networks.weights import weights_of
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Record

if TYPE_CHECKING:
    import keras

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""C of the logistic regression on standardised features, chosen within the training images."""


class FeatureClassifier:
    """A classifier on features of the whole cohort; fits as often as asked.

    Features are standardised by the mean and deviation of the training images. Logistic
    regression chooses its C by the log loss of grouped folds inside the training images; the
    support vector machine (radial kernel, C = 1) gets its probabilities from decision values on
    such folds (Platt 1999).

    Parameters
    ----------
    features : ndarray of float32, shape (n, d)
        Of every image of the cohort.
    labels : ndarray of int64, shape (n,)
        1 tumour, 0 no tumour.
    groups : ndarray of str, shape (n,)
        What a fold must keep together.
    classifier : {"logistic", "svm"}
        Which.
    balanced : bool
        Weigh classes by the inverse of their share.
    """

    def __init__(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        groups: NDArray[np.str_],
        *,
        classifier: Classifier,
        balanced: bool,
    ) -> None:
        self._features, self._labels, self._groups = features, labels, groups
        self._classifier = classifier
        self._weights = "balanced" if balanced else None
        self._fitted: Any = None

    def fit(
        self,
        known: NDArray[np.int64],
        *,
        seed: int,
        on_epoch: Callable[[Record], None] | None = None,
    ) -> None:
        """Fit to the images at these positions.

        Raises
        ------
        InputError
            If a class has fewer than two groups.
        """
        labels, groups = self._labels[known], self._groups[known]
        of_class = [len(set(groups[labels == label].tolist())) for label in (0, 1)]
        inner = grouped_folds(labels, groups, folds=max(2, min(5, *of_class)), seed=seed)
        splits = [
            (np.flatnonzero(inner != fold), np.flatnonzero(inner == fold))
            for fold in range(int(inner.max()) + 1)
        ]
        self._fitted = self._model(splits).fit(self._features[known], labels)
        if on_epoch is not None:
            on_epoch({})

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of tumour, float64 (n,)."""
        scores = self._fitted.predict_proba(self._features[indices])[:, 1]
        return np.asarray(scores, dtype=np.float64)

    def _model(self, splits: list[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        if self._classifier == "svm":
            machine = SVC(class_weight=self._weights)
            steps = Pipeline([("scale", StandardScaler()), ("classify", machine)])
            return CalibratedClassifierCV(steps, method="sigmoid", cv=splits, ensemble=False)
        regression = LogisticRegression(class_weight=self._weights, max_iter=5000)
        steps = Pipeline([("scale", StandardScaler()), ("classify", regression)])
        grid = {"classify__C": list(STRENGTHS)}
        return GridSearchCV(steps, grid, scoring="neg_log_loss", cv=splits)


def feature_classifier(
    system: System, recipe: Recipe, weights: str | Path, manifest: Manifest
) -> FeatureClassifier:
    """Compute the features of a cohort and return what classifies them.

    Raises
    ------
    WeightsError, UsageError
        If a backbone's weights cannot be had.
    """
    columns = []
    for name in system.backbones:
        own = recipe_for(system, recipe, name)
        model, _ = start(own, weights_of(name, weights))
        images = load_images(manifest, own.input.preprocessing)
        columns.append(pooled_features(backbone_of(model), name, images.pixels, parts=system.parts))
    assert system.classifier is not None
    return FeatureClassifier(
        np.concatenate(columns, axis=1),
        manifest.labels,
        manifest.groups,
        classifier=system.classifier,
        balanced=recipe.optimisation.class_weights == "balanced",
    )


def taps_of(backbone: keras.Model, name: str, *, parts: bool) -> list[keras.KerasTensor]:
    """Return the tensors whose means over places are the features."""
    layers = lookup_backbone(name).parts if parts else ()
    return [backbone.get_layer(layer).output for layer in layers] or [backbone.output]


def pooled_features(
    backbone: keras.Model, name: str, pixels: NDArray[np.uint8], *, parts: bool
) -> NDArray[np.float32]:
    """Return the features of prepared images uint8 (n, size, size): float32 (n, channels)."""
    run = feature_engine(
        backbone, taps_of(backbone, name, parts=parts), lookup_backbone(name).scaling
    )
    rows = []
    for batch in track(list(batches(np.arange(len(pixels)), BATCH)), "Computing features"):
        outputs = [values.astype(np.float32).mean(axis=(1, 2)) for values in run(pixels[batch])]
        rows.append(np.concatenate(outputs, axis=1))
    return np.concatenate(rows)
