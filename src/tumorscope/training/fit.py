"""The two phases of training, epoch by epoch, each epoch a function of the state before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.training.checkpoint import Checkpoint, Record, load_checkpoint, save_checkpoint
from tumorscope.training.frozen import BATCH, Entry, FeatureStore, extractor, network_input
from tumorscope.training.network import WHOLE, trainable_part
from tumorscope.training.plateau import learning_rate_after
from tumorscope.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

PHASES = ("frozen", "fine-tuning")


@dataclass(frozen=True, slots=True)
class Images:
    """The cohort as the trainer sees it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
        Prepared, not yet scaled.
    labels : ndarray of int64, shape (n,)
        1 tumour, 0 no tumour.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Phase:
    name: str
    epochs: int
    learning_rate: float
    entry: Entry


def phases_of(recipe: Recipe) -> list[_Phase]:
    """Return the phases of a recipe that have epochs."""
    both = [
        _Phase(PHASES[0], recipe.frozen.epochs, recipe.frozen.learning_rate, None),
        _Phase(
            PHASES[1],
            recipe.fine_tuning.epochs,
            recipe.fine_tuning.learning_rate,
            recipe.fine_tuning.from_layer,
        ),
    ]
    return [phase for phase in both if phase.epochs]


def make_store(model: keras.Model, images: Images, recipe: Recipe) -> FeatureStore:
    """Return the features of frozen layers for `images`; folds of one cohort may share it.

    It must be made while `model` has its starting weights.
    """
    entries = [phase.entry for phase in phases_of(recipe)]
    return FeatureStore(
        extractor(model, recipe, entries),
        images.pixels,
        ranges=recipe.augmentation,
        seed=recipe.seed,
    )


def fit(
    model: keras.Model,
    images: Images,
    recipe: Recipe,
    *,
    training: NDArray[np.int64],
    tuning: NDArray[np.int64],
    seed: int,
    store: FeatureStore | None = None,
    checkpoint: Path | None = None,
    identity: str = "",
    on_epoch: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Train `model` in place.

    Parameters
    ----------
    model : keras.Model
        As made by `tumorscope.training.network.build`, with its starting weights.
    images : Images
        The whole cohort.
    recipe : Recipe
        Epochs, learning rates, augmentation …
    training, tuning : ndarray of int64
        Positions in `images`. The tuning images steer the learning rate and nothing else.
    seed : int
        Order of the batches and dropout; augmentation follows ``recipe.seed``.
    store : FeatureStore, optional
        As made by `make_store`; made here by default.
    checkpoint : Path, optional
        Written after each epoch; where it exists, training goes on from it.
    identity : str
        Of the run, kept in the checkpoint.
    on_epoch : callable, optional
        Called with the record of each epoch that is finished here.

    Returns
    -------
    list of Record
        One per epoch: epoch, phase, learning_rate, loss, accuracy, tuning_loss, tuning_accuracy,
        tuning_auc (where both classes are there), seconds. As with Keras' ``fit``, the loss on training images
        is weighted by class and measured under dropout while the weights change.

    Raises
    ------
    InputError
        If a part has no images or one class only, or the loss stops being a number.
    """
    _check_classes(images, training, "training")
    if len(tuning) == 0:
        raise InputError("There are no tuning images; expected at least one. Split again.")
    state = Checkpoint(identity=identity)
    if checkpoint is not None and checkpoint.exists():
        state = load_checkpoint(checkpoint, identity=identity)
    history = list(state.history)
    store = store or make_store(model, images, recipe)
    if state.weights:
        model.set_weights(list(state.weights))
    done_before = 0
    for phase in phases_of(recipe):
        done = min(max(len(history) - done_before, 0), phase.epochs)
        if done < phase.epochs:
            trainer = _Trainer(model, images, recipe, phase, store=store, seed=seed)
            if done and state.optimizer:
                trainer.restore(state.optimizer)
            for epoch in range(done, phase.epochs):
                number = done_before + epoch
                losses = [float(r["tuning_loss"]) for r in history if r["phase"] == phase.name]
                record = trainer.epoch(number, losses, training, tuning)
                history.append(record)
                if checkpoint is not None:
                    save_checkpoint(
                        checkpoint,
                        Checkpoint(identity, history, model.get_weights(), trainer.optimizer_state),
                    )
                if on_epoch is not None:
                    on_epoch(record)
        done_before += phase.epochs
    return history


def predict(
    model: keras.Model, images: Images, recipe: Recipe, indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the probability of tumour, float64 (n,), of images as they are."""
    scores = [
        np.asarray(
            model.predict_on_batch(network_input(images.pixels[batch], recipe.input.scaling)),
            dtype=np.float64,
        ).ravel()
        for batch in _batches(indices, BATCH)
    ]
    return np.concatenate(scores) if scores else np.empty(0)


class _Trainer:
    """One phase: the trained part, its optimizer, and an epoch of it."""

    def __init__(
        self,
        model: keras.Model,
        images: Images,
        recipe: Recipe,
        phase: _Phase,
        *,
        store: FeatureStore,
        seed: int,
    ) -> None:
        import keras

        self._images, self._recipe, self._phase = images, recipe, phase
        self._store, self._seed = store, seed
        model.trainable = True
        self._part = trainable_part(
            model, from_layer=phase.entry, batch_norm=recipe.fine_tuning.batch_norm
        )
        self._part.compile(
            optimizer=keras.optimizers.Adam(
                phase.learning_rate, clipnorm=recipe.optimisation.clip_norm
            ),
            loss="binary_crossentropy",
            metrics=["accuracy"],
        )
        self._part.optimizer.build(self._part.trainable_variables)
        self._dropouts = [
            layer.seed_generator for layer in model.layers if hasattr(layer, "seed_generator")
        ]

    @property
    def optimizer_state(self) -> list[NDArray[np.generic]]:
        return [np.asarray(variable) for variable in self._part.optimizer.variables]

    def restore(self, values: Sequence[NDArray[np.generic]]) -> None:
        for variable, value in zip(self._part.optimizer.variables, values, strict=True):
            variable.assign(value)

    def epoch(
        self,
        number: int,
        losses: Sequence[float],
        training: NDArray[np.int64],
        tuning: NDArray[np.int64],
    ) -> Record:
        started = time.perf_counter()
        options = self._recipe.optimisation
        rate = learning_rate_after(losses, start=self._phase.learning_rate, options=options)
        self._part.optimizer.learning_rate = rate
        for index, generator in enumerate(self._dropouts):
            # Not the generator's own progress: an epoch must not depend on where the run began.
            words = np.random.SeedSequence([self._seed, number, index]).generate_state(2)
            generator.state.assign(words.astype(generator.state.dtype))
        order = np.random.default_rng([self._seed, number]).permutation(training)
        weights = class_weights(self._images.labels[training], options.class_weights)
        loss = correct = 0.0
        for batch in _batches(order, options.batch_size):
            labels = self._images.labels[batch]
            features = self._store.augmented(batch, epoch=number, entry=self._phase.entry)
            logs = self._part.train_on_batch(
                self._enter(features),
                labels[:, None].astype(np.float32),
                sample_weight=weights[labels],
                return_dict=True,
            )
            loss += float(logs["loss"]) * len(batch)
            correct += float(logs["accuracy"]) * len(batch)
        record: Record = {
            "epoch": number + 1,
            "phase": self._phase.name,
            "learning_rate": float(f"{rate:.9g}"),
            "loss": round(loss / len(order), 6),
            "accuracy": round(correct / len(order), 6),
            **self._measure(tuning),
        }
        if not np.isfinite([record["loss"], record["tuning_loss"]]).all():
            raise InputError(
                f"The loss is not a number in epoch {number + 1}; expected finite values. The "
                "learning rate is probably too high: lower it in the recipe."
            )
        return {**record, "seconds": round(time.perf_counter() - started, 3)}

    def _measure(self, indices: NDArray[np.int64]) -> dict[str, float]:
        from sklearn.metrics import roc_auc_score

        labels = self._images.labels[indices]
        scores = np.concatenate(
            [
                np.asarray(
                    self._part.predict_on_batch(
                        self._enter(self._store.plain(batch, entry=self._phase.entry))
                    )
                ).ravel()
                for batch in _batches(indices, self._recipe.optimisation.batch_size)
            ]
        ).astype(np.float64)
        clipped = np.clip(scores, 1e-7, 1 - 1e-7)
        loss = -np.mean(np.where(labels == 1, np.log(clipped), np.log1p(-clipped)))
        measured = {
            "tuning_loss": round(float(loss), 6),
            "tuning_accuracy": round(float(np.mean((scores >= 0.5) == labels)), 6),
        }
        if 0 < labels.sum() < len(labels):
            measured["tuning_auc"] = round(float(roc_auc_score(labels, scores)), 6)
        return measured

    def _enter(self, features: NDArray[np.generic]) -> NDArray[np.float32]:
        if self._phase.entry == WHOLE:
            return network_input(features.astype(np.uint8), self._recipe.input.scaling)
        return features.astype(np.float32)


def class_weights(labels: NDArray[np.int64], how: str) -> NDArray[np.float32]:
    """Return one weight per class, float32 (2,); "balanced" is n / (2 · images of the class)."""
    if how == "none":
        return np.ones(2, dtype=np.float32)
    from sklearn.utils.class_weight import compute_class_weight

    weights = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels)
    return np.asarray(weights, dtype=np.float32)


def _batches(indices: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def _check_classes(images: Images, indices: NDArray[np.int64], part: str) -> None:
    tumours = int(images.labels[indices].sum())
    if not 0 < tumours < len(indices):
        raise InputError(
            f"The {part} part has {tumours} images with tumour and {len(indices) - tumours} "
            "without; expected both. Add images, or change the fractions of the split."
        )
