"""Fitting a network to a cohort: as often as asked, each time from the same start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import Images
from tumorscope.common.errors import InputError
from tumorscope.networks.body import head_of
from tumorscope.networks.halves import grid_at
from tumorscope.networks.predict import predict
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Checkpoint, Record, load_checkpoint, save_checkpoint
from tumorscope.training.feature_store import FeatureStore, extractor
from tumorscope.training.phases import Phase, phases_of
from tumorscope.training.trainer import Trainer

if TYPE_CHECKING:
    import keras

Stores = dict[str, FeatureStore]


class Fitter:
    """A network, a cohort and a recipe: fits as often as asked, each time from the same start.

    Folds of one cohort share the features of frozen layers and the compiled training steps, which
    is most of what a fit costs.

    Parameters
    ----------
    model : keras.Model
        As made by `tumorscope.networks.network.build`, with its starting weights.
    images : Images
        The whole cohort.
    recipe : Recipe
        Epochs, learning rates, augmentation …
    stores : dict, optional
        Of another fitter with the same images, augmentation and frozen layers: shares its
        features.
    """

    def __init__(
        self,
        model: keras.Model,
        images: Images,
        recipe: Recipe,
        *,
        stores: Stores | None = None,
    ) -> None:
        self.model = model
        self._images, self._recipe = images, recipe
        self._start = model.get_weights()
        self._phases = phases_of(recipe)
        self._trainers: dict[str, Trainer] = {}
        self._stores: Stores = {} if stores is None else stores

    def fit(
        self,
        *,
        training: NDArray[np.int64],
        tuning: NDArray[np.int64],
        seed: int,
        checkpoint: Path | None = None,
        identity: str = "",
        on_epoch: Callable[[Record], None] | None = None,
    ) -> list[Record]:
        """Train the model in place.

        Parameters
        ----------
        training, tuning : ndarray of int64
            Positions in the cohort. Tuning images steer the learning rate and nothing else; with
            the cosine schedule there may be none.
        seed : int
            Of the head's starting weights, the order of the batches and dropout. Augmentation
            follows ``recipe.seed``, so that folds share it.
        checkpoint : Path, optional
            Written after each epoch; where it exists, training goes on from it.
        identity : str
            Of the run, kept in the checkpoint.
        on_epoch : callable, optional
            Called with the record of each epoch that is finished here.

        Returns
        -------
        list of Record
            One per epoch: epoch, phase, learning_rate, loss, accuracy, places_loss (where the
            recipe trains on places), tuning_loss, tuning_accuracy, tuning_auc (where both classes
            are there), seconds; losses and accuracy are of images unless they say otherwise. As
            with Keras' ``fit``, the loss on training images is weighted by class and measured under
            dropout while the weights change.

        Raises
        ------
        InputError
            If a part has no images or one class only, or the loss stops being a number.
        """
        self._check(training, tuning)
        state = self._begin(checkpoint, identity, seed)
        history = list(state.history)
        begun = len(history)
        for number, epoch, phase in self._epochs()[begun:]:
            trainer = self._trainer(phase)
            if epoch == 0 or number == begun:
                trainer.restore(state.optimizer if epoch else ())
            of_phase = [record for record in history if record["phase"] == phase.name]
            losses = [float(r["tuning_loss"]) for r in of_phase if "tuning_loss" in r]
            record = trainer.epoch(number, epoch, losses, training, tuning, seed=seed)
            history.append(record)
            if checkpoint is not None:
                weights = self.model.get_weights()
                kept = Checkpoint(identity, history, weights, trainer.optimizer_state)
                save_checkpoint(checkpoint, kept)
            if on_epoch is not None:
                on_epoch(record)
        return history

    def _check(self, training: NDArray[np.int64], tuning: NDArray[np.int64]) -> None:
        _check_classes(self._images, training, "training")
        if len(tuning) == 0 and self._recipe.optimisation.schedule == "plateau":
            raise InputError(
                "There are no tuning images; expected at least one, because the tuning loss "
                'reduces the learning rate. Split again, or use schedule = "cosine".'
            )

    def _begin(self, checkpoint: Path | None, identity: str, seed: int) -> Checkpoint:
        """Set the weights of the checkpoint where there is one, else those of the start."""
        state = Checkpoint(identity=identity)
        if checkpoint is not None and checkpoint.exists():
            state = load_checkpoint(checkpoint, identity=identity)
        self.model.set_weights(list(state.weights) or self._start)
        if not state.weights:
            initialise_head(self.model, seed)
        return state

    def _epochs(self) -> list[tuple[int, int, Phase]]:
        """Return every epoch of the run: its number in the run and in its phase, from 0."""
        inner = [(epoch, phase) for phase in self._phases for epoch in range(phase.epochs)]
        return [(number, epoch, phase) for number, (epoch, phase) in enumerate(inner)]

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores of images of the cohort as they are; see `predict`."""
        return predict(self.model, self._images.pixels[indices], self._recipe)

    def _trainer(self, phase: Phase) -> Trainer:
        if phase.name not in self._trainers:
            trainer = Trainer(self.model, self._images, self._recipe, phase, self._store(phase))
            self._trainers[phase.name] = trainer
        return self._trainers[phase.name]

    def _store(self, phase: Phase) -> FeatureStore:
        # Versions that are used again are passed through the frozen layers once for all phases.
        shared = self._recipe.augmentation.variants > 0
        together = [
            each for each in self._phases if each == phase or (shared and each.size == phase.size)
        ]
        key = ", ".join(each.name for each in together)
        if key not in self._stores:
            entries = list(dict.fromkeys(each.entry for each in together))
            images = self._images.shrunk(phase.size)
            grid = grid_at(self.model, phase.size) if self._recipe.trains_on_places else None
            self._stores[key] = FeatureStore(
                extractor(self.model, self._recipe, entries),
                images,
                self._recipe,
                grid=grid,
            )
        return self._stores[key]


def initialise_head(model: keras.Model, seed: int) -> None:
    """Give the head new random weights: Glorot uniform kernels (Keras' default), zero biases."""
    import keras

    for index, layer in enumerate(head_of(model)):
        if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D):
            words = np.random.SeedSequence([seed, index]).generate_state(1)
            values = keras.initializers.GlorotUniform(seed=int(words[0]) >> 1)(layer.kernel.shape)
            layer.kernel.assign(values)
            if layer.use_bias:
                layer.bias.assign(np.zeros(layer.bias.shape, dtype=np.float32))


def _check_classes(images: Images, indices: NDArray[np.int64], part: str) -> None:
    # A type may be absent: it is then scored by a network that never learnt it, and the report
    # says so.
    having = int((images.labels[indices] > 0).sum())
    without = len(indices) - having
    if not having or not without:
        raise InputError(
            f"The {part} part has {having} images with tumour and {without} without; expected "
            "both. Add images, or change the fractions of the split."
        )
