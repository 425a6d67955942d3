"""A trial of a search: what trials can share, and what one is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import Images, load_images
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.errors import InputError
from tumorscope.experiments.learner import NetworkEstimator, finite_scores
from tumorscope.experiments.search.asked import Loss, SearchAsked
from tumorscope.experiments.search.space import Range, changed, suggest
from tumorscope.experiments.search.storage import known_loss
from tumorscope.networks.start import start
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.fit import Fitter, Stores
from tumorscope.training.trainer import DivergedError

if TYPE_CHECKING:
    import keras
    import optuna


class SharedNetwork:
    """The cohort, and what trials can share: images, a network, the features of frozen layers.

    Of each only what the last trial used is kept: a search over a number would fill the memory.

    Parameters
    ----------
    manifest : Manifest
        The usable images.
    base : Recipe
        What a search starts from.
    weights : str or Path
        Starting weights.
    origin : str
        Their content when the search was begun, as
        `tumorscope.networks.weights.weights_identity` says.
    """

    def __init__(
        self, manifest: Manifest, base: Recipe, weights: str | Path, *, origin: str
    ) -> None:
        self.manifest, self._weights, self._origin = manifest, weights, origin
        self.base = base
        self._images: tuple[str, Images] | None = None
        self._network: tuple[str, keras.Model, list[NDArray[np.float32]]] | None = None
        self._stores: Stores = {}
        self._kind = ""

    def estimator(self, recipe: Recipe) -> NetworkEstimator:
        """Return the network of a recipe, from the same starting weights every time.

        Only the last one may be used: they share a network.

        Raises
        ------
        InputError
            If the weights cannot be used, or are not those that the search was begun with.
        """
        # Features depend on pictures and frozen layers, not on how the rest is trained.
        tuned = recipe.fine_tuning
        network = _network_key(recipe)
        changes = f"{recipe.augmentation.model_dump_json()}{recipe.trains_on_places}"
        kind = f"{network}{changes}{tuned.from_layer}{tuned.size}"
        if kind != self._kind:
            self._kind, self._stores = kind, {}
        model = self._started(recipe, network)
        images = self._prepared(recipe)
        fitter = Fitter(model, images, recipe, stores=self._stores)
        return NetworkEstimator(fitter, images, recipe)

    def _prepared(self, recipe: Recipe) -> Images:
        masks = recipe.trains_on_places
        key = f"{recipe.input.model_dump_json()}{masks}"
        if self._images is None or self._images[0] != key:
            self._images = None  # before the next are read: not both at once
            self._images = key, load_images(self.manifest, recipe.input.preprocessing, masks=masks)
        return self._images[1]

    def _started(self, recipe: Recipe, key: str) -> keras.Model:
        if self._network is None or self._network[0] != key:
            self._network = None
            model, origin = start(recipe, self._weights)
            self._check_origin(origin.sentence)
            self._network = key, model, model.get_weights()
        _, model, weights = self._network
        model.set_weights(weights)
        model.get_layer("dropout").rate = recipe.network.dropout
        return model

    def _check_origin(self, origin: str) -> None:
        # Keras checks its own file; random weights have no file.
        if self._weights in ("imagenet", "none") or origin == self._origin:
            return
        raise InputError(
            f"The weights {self._weights} have changed since the search was begun: they were "
            f"{self._origin}, and are {origin}. Expected the same for all trials. Put the first "
            "file back, or begin anew in another --storage or -o."
        )


def _network_key(recipe: Recipe) -> str:
    """Return what two recipes with the same network as built have in common.

    A layer's dropout can be set later, unless it was built without: it then draws nothing.
    """
    network = recipe.network.model_dump_json(exclude={"dropout"})
    return f"{recipe.input.model_dump_json()}{network}{recipe.network.dropout > 0}"


@dataclass(frozen=True, slots=True)
class Objective:
    """What a trial is worth: the mean over inner folds.

    Attributes
    ----------
    shared : SharedNetwork
        Makes the networks.
    known : ndarray of int64
        Positions in the cohort of the images of this study.
    space : mapping of str to Range
        What is searched.
    asked : SearchAsked
        Inner folds, what is minimised (see `loss_of`), and the seed of folds and fits.
    """

    shared: SharedNetwork
    known: NDArray[np.int64]
    space: Mapping[str, Range]
    asked: SearchAsked

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the loss of a trial.

        Raises
        ------
        optuna.TrialPruned
            If it is worse than most after a fold, or diverges.
        """
        import optuna

        shared, known, base, asked = self.shared, self.known, self.shared.base, self.asked
        recipe = changed(base, suggest(trial, self.space, base))
        tried = known_loss(trial)
        if tried is not None:
            return tried
        estimator = shared.estimator(recipe)
        labels, groups = shared.manifest.labels, shared.manifest.groups
        folds = grouped_folds(
            labels[known], groups[known], folds=asked.inner_folds, seed=asked.seed
        )
        values: list[float] = []
        for fold in range(asked.inner_folds):
            testing = known[folds == fold]
            try:
                estimator.fit(known[folds != fold], seed=asked.seed)
                scores = finite_scores(estimator, testing)
            except DivergedError as error:  # as where the learning rate is too high
                raise optuna.TrialPruned(str(error)) from error
            values.append(loss_of(labels[testing], scores, asked.loss))
            trial.report(float(np.mean(values)), fold)
            if fold + 1 < asked.inner_folds and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(values))


def loss_of(labels: NDArray[np.int64], scores: NDArray[np.float64], loss: Loss) -> float:
    """Return what is minimised: the log loss, or 1 − AUC.

    Raises
    ------
    InputError
        If all labels are of one class, which have no AUC.

    Examples
    --------
    >>> round(loss_of(np.array([0, 1]), np.array([0.1, 0.8]), "log-loss"), 3)
    0.164
    >>> loss_of(np.array([0, 1]), np.array([0.1, 0.8]), "auc")
    0.0
    """
    from sklearn.metrics import log_loss, roc_auc_score

    if loss == "log-loss":
        return float(log_loss(labels, np.clip(scores, 1e-7, 1 - 1e-7), labels=[0, 1]))
    if not 0 < labels.sum() < len(labels):
        raise InputError(
            f"An inner fold has {len(labels)} images, all of one class, of which there is no AUC. "
            "Expected both classes. Use --objective log-loss, fewer --inner-folds, or more groups."
        )
    return 1.0 - float(roc_auc_score(labels, scores))
