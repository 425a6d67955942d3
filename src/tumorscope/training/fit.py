"""The two phases of training, epoch by epoch, each epoch a function of the state before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import Images, batches
from tumorscope.common.errors import InputError
from tumorscope.common.progress import pulse
from tumorscope.networks.network import WHOLE, trainable_part
from tumorscope.networks.predict import predict
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.parts import Optimisation
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Checkpoint, Record, load_checkpoint, save_checkpoint
from tumorscope.training.feature_store import CutLayer, FeatureStore, extractor
from tumorscope.training.sampling import draw
from tumorscope.training.schedule import cosine, learning_rate_after

if TYPE_CHECKING:
    import keras


class DivergedError(InputError):
    """Training that ended in numbers that are none."""


MOST_EPOCHS = 10_000
"""Of a phase, as recipes allow them: version numbers of repeated draws start above."""

PHASES = ("frozen", "fine-tuning", "finishing")


@dataclass(frozen=True, slots=True)
class _Phase:
    name: str
    epochs: int
    learning_rate: float
    entry: CutLayer
    size: int
    """Edge of the pictures, in pixels."""


def phases_of(recipe: Recipe) -> list[_Phase]:
    """Return the phases of a recipe that have epochs."""
    full, tuned = recipe.input.size, recipe.fine_tuning
    every = [
        _Phase(PHASES[0], recipe.frozen.epochs, recipe.frozen.learning_rate, None, full),
        _Phase(PHASES[1], tuned.epochs, tuned.learning_rate, tuned.from_layer, tuned.size or full),
        _Phase(
            PHASES[2],
            recipe.finishing.epochs,
            recipe.finishing.learning_rate,
            tuned.from_layer,
            full,
        ),
    ]
    return [phase for phase in every if phase.epochs]


def epochs_of(recipe: Recipe) -> int:
    """Return how many epochs all phases of a recipe have."""
    return sum(phase.epochs for phase in phases_of(recipe))


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
        self._trainers: dict[str, _Trainer] = {}
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
            One per epoch: epoch, phase, learning_rate, loss, accuracy, tuning_loss,
            tuning_accuracy, tuning_auc (where both classes are there), seconds. As with Keras'
            ``fit``, the loss on training images is weighted by class and measured under dropout
            while the weights change.

        Raises
        ------
        InputError
            If a part has no images or one class only, or the loss stops being a number.
        """
        _check_classes(self._images, training, "training")
        if len(tuning) == 0 and self._recipe.optimisation.schedule == "plateau":
            raise InputError(
                "There are no tuning images; expected at least one, because the tuning loss "
                'reduces the learning rate. Split again, or use schedule = "cosine".'
            )
        state = Checkpoint(identity=identity)
        if checkpoint is not None and checkpoint.exists():
            state = load_checkpoint(checkpoint, identity=identity)
        history = list(state.history)
        self.model.set_weights(list(state.weights) or self._start)
        if not state.weights:
            initialise_head(self.model, seed)
        before = 0
        for phase in self._phases:
            done = min(max(len(history) - before, 0), phase.epochs)
            if done < phase.epochs:
                trainer = self._trainer(phase)
                trainer.restore(state.optimizer if done else ())
            for epoch in range(done, phase.epochs):
                of_phase = [record for record in history if record["phase"] == phase.name]
                losses = [float(r["tuning_loss"]) for r in of_phase if "tuning_loss" in r]
                record = trainer.epoch(before + epoch, epoch, losses, training, tuning, seed=seed)
                history.append(record)
                if checkpoint is not None:
                    state = Checkpoint(
                        identity, history, self.model.get_weights(), trainer.optimizer_state
                    )
                    save_checkpoint(checkpoint, state)
                if on_epoch is not None:
                    on_epoch(record)
            before += phase.epochs
        return history

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores of images of the cohort as they are; see `predict`."""
        return predict(self.model, self._images.pixels[indices], self._recipe)

    def _trainer(self, phase: _Phase) -> _Trainer:
        if phase.name not in self._trainers:
            trainer = _Trainer(self.model, self._images, self._recipe, phase, self._store(phase))
            self._trainers[phase.name] = trainer
        return self._trainers[phase.name]

    def _store(self, phase: _Phase) -> FeatureStore:
        # Versions that are used again are passed through the frozen layers once for all phases.
        shared = self._recipe.augmentation.variants > 0
        together = [
            each for each in self._phases if each == phase or (shared and each.size == phase.size)
        ]
        key = ", ".join(each.name for each in together)
        if key not in self._stores:
            entries = list(dict.fromkeys(each.entry for each in together))
            images = self._images
            images = replace(images, pixels=shrunk(images.pixels, phase.size))
            self._stores[key] = FeatureStore(
                extractor(self.model, self._recipe, entries), images, self._recipe
            )
        return self._stores[key]


def initialise_head(model: keras.Model, seed: int) -> None:
    """Give the head new random weights: Glorot uniform kernels (Keras' default), zero biases."""
    import keras

    for index, layer in enumerate(model.layers[1:]):
        if isinstance(layer, keras.layers.Dense):
            words = np.random.SeedSequence([seed, index]).generate_state(1)
            values = keras.initializers.GlorotUniform(seed=int(words[0]) >> 1)(layer.kernel.shape)
            layer.kernel.assign(values)
            layer.bias.assign(np.zeros(layer.bias.shape, dtype=np.float32))


class _Trainer:
    """One phase: the trained part, its optimizer, and an epoch of it."""

    def __init__(
        self,
        model: keras.Model,
        images: Images,
        recipe: Recipe,
        phase: _Phase,
        store: FeatureStore,
    ) -> None:
        import keras

        self._images, self._recipe, self._phase = images, recipe, phase
        self._store = store
        model.trainable = True
        self._part = trainable_part(
            model,
            from_layer=phase.entry,
            batch_norm=recipe.fine_tuning.batch_norm,
            size=phase.size,
        )
        self._part.compile(
            optimizer=make_optimizer(recipe.optimisation, phase.learning_rate),
            loss=(
                keras.losses.BinaryCrossentropy
                if recipe.task == "tumour"
                else keras.losses.CategoricalCrossentropy
            )(label_smoothing=recipe.optimisation.label_smoothing),
            metrics=["accuracy"],
        )
        self._part.optimizer.build(self._part.trainable_variables)
        self._classes = self._part.output_shape[-1]
        self._dropouts = [
            layer.seed_generator
            for layer in (*model.layers, *model.layers[0].layers)
            if hasattr(layer, "seed_generator")
        ]

    @property
    def optimizer_state(self) -> list[NDArray[np.generic]]:
        return [np.asarray(variable) for variable in self._part.optimizer.variables]

    def restore(self, values: Sequence[NDArray[np.generic]]) -> None:
        """Set the optimizer's variables; zeros, as before its first step, where `values` is empty.

        Its learning rate is one of them, and is set by each epoch.
        """
        variables = self._part.optimizer.variables
        for index, variable in enumerate(variables):
            variable.assign(values[index] if values else np.zeros(variable.shape, variable.dtype))

    def epoch(
        self,
        number: int,
        epoch: int,
        losses: Sequence[float],
        training: NDArray[np.int64],
        tuning: NDArray[np.int64],
        *,
        seed: int,
    ) -> Record:
        """Train one epoch: the `number`-th of the run, the `epoch`-th of its phase, from 0."""
        started = time.perf_counter()
        options, sampling = self._recipe.optimisation, self._recipe.sampling
        rate = learning_rate_after(losses, start=self._phase.learning_rate, options=options)
        for index, generator in enumerate(self._dropouts):
            # Not the generator's own progress: an epoch must not depend on where the run began.
            words = np.random.SeedSequence([seed, number, index]).generate_state(2)
            generator.state.assign(words.astype(generator.state.dtype))
        order = draw(self._images, training, sampling, np.random.default_rng([seed, number]))
        versions = number + self._repeats(order)
        weights = class_weights(
            self._images.labels[training],
            options.class_weights,
            classes=max(2, self._classes),
        )
        chunks = list(batches(np.arange(len(order)), options.batch_size))
        loss = correct = 0.0

        def prepared(chunk: NDArray[np.int64]) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
            return self._store.augmented(order[chunk], versions[chunk], entry=self._phase.entry)

        # One batch ahead, while the last one trains.
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(prepared, chunks[0])
            for step, chunk in enumerate(chunks):
                pulse()
                features, labels = coming.result()
                if step + 1 < len(chunks):
                    coming = ahead.submit(prepared, chunks[step + 1])
                if options.schedule == "cosine":
                    done = (epoch + step / len(chunks)) / self._phase.epochs
                    rate = cosine(done, peak=self._phase.learning_rate, warmup=options.warmup)
                self._part.optimizer.learning_rate = rate
                # Keras before 3.15 returns the mean of all batches since the last reset.
                self._part.reset_metrics()
                logs = self._part.train_on_batch(
                    self._enter(features),
                    self._targets(labels),
                    sample_weight=weights[labels],
                    return_dict=True,
                )
                loss += float(logs["loss"]) * len(chunk)
                correct += float(logs["accuracy"]) * len(chunk)
        last = epoch + 1 == self._phase.epochs
        record: Record = {
            "epoch": number + 1,
            "phase": self._phase.name,
            "learning_rate": float(f"{rate:.9g}"),
            "loss": round(loss / len(order), 6),
            "accuracy": round(correct / len(order), 6),
            **self._measure(tuning, keep_average=last),
        }
        if not np.isfinite([record["loss"], record.get("tuning_loss", 0.0)]).all():
            raise DivergedError(
                f"The loss is not a number in epoch {number + 1}; expected finite values. The "
                "learning rate is probably too high: lower it in the recipe."
            )
        return {**record, "seconds": round(time.perf_counter() - started, 3)}

    def _targets(self, labels: NDArray[np.int64]) -> NDArray[np.float32]:
        if self._classes == 1:
            return labels[:, None].astype(np.float32)
        return np.eye(self._classes, dtype=np.float32)[labels]

    def _repeats(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what to add to the epoch for a version that no other draw of it has."""
        seen: dict[int, int] = {}
        occurrences = np.empty(len(order), dtype=np.int64)
        for position, index in enumerate(order.tolist()):
            occurrences[position] = seen.get(index, 0)
            seen[index] = seen.get(index, 0) + 1
        return occurrences * (1 if self._recipe.augmentation.variants else MOST_EPOCHS)

    def _measure(self, indices: NDArray[np.int64], *, keep_average: bool) -> dict[str, float]:
        """Measure on tuning images, with averaged weights where the recipe averages them."""
        if not self._recipe.optimisation.ema:
            return self._measure_as_is(indices)
        variables = self._part.trainable_variables
        raw = [np.asarray(variable) for variable in variables]
        self._part.optimizer.finalize_variable_values(variables)
        measured = self._measure_as_is(indices)
        if not keep_average:
            for variable, values in zip(variables, raw, strict=True):
                variable.assign(values)
        return measured

    def _measure_as_is(self, indices: NDArray[np.int64]) -> dict[str, float]:
        if len(indices) == 0:
            return {}
        from sklearn.metrics import roc_auc_score

        labels = self._images.labels[indices]
        scores = np.concatenate(
            [
                np.asarray(
                    self._part.predict_on_batch(
                        self._enter(self._store.plain(batch, entry=self._phase.entry))
                    )
                )
                for batch in batches(indices, self._recipe.optimisation.batch_size)
            ]
        ).astype(np.float64)
        binary = self._classes == 1
        if binary:
            scores = np.hstack([1 - scores, scores])
        given = np.clip(scores[np.arange(len(labels)), labels], 1e-7, 1 - 1e-7)
        # Of two equal scores the tumour is called, as at every operating point.
        calls = scores[:, 1] >= 0.5 if binary else scores.argmax(axis=1)
        measured = {
            "tuning_loss": round(float(-np.log(given).mean()), 6),
            "tuning_accuracy": round(float(np.mean(calls == labels)), 6),
        }
        if binary and 0 < labels.sum() < len(labels) and np.isfinite(scores).all():
            measured["tuning_auc"] = round(float(roc_auc_score(labels, scores[:, 1])), 6)
        return measured

    def _enter(self, features: NDArray[np.generic]) -> NDArray[np.float32]:
        if self._phase.entry == WHOLE:
            return network_input(features.astype(np.uint8), self._recipe.input.scaling)
        return features.astype(np.float32)


def make_optimizer(options: Optimisation, rate: float) -> keras.Optimizer:
    """Return the optimizer of a recipe; weight decay leaves biases and normalisation alone."""
    import keras

    common = {
        "clipnorm": options.clip_norm,
        "use_ema": options.ema > 0.0,
        "ema_momentum": options.ema or 0.99,
    }
    if options.optimizer == "adam":
        return keras.optimizers.Adam(rate, **common)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=options.weight_decay, **common)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def shrunk(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return pictures uint8 (n, edge, edge) averaged down to (n, size, size)."""
    if pixels.shape[-1] == size:
        return pixels
    return np.stack(
        [cv2.resize(one, (size, size), interpolation=cv2.INTER_AREA) for one in pixels]
    ).astype(np.uint8)


def class_weights(labels: NDArray[np.int64], how: str, *, classes: int = 2) -> NDArray[np.float32]:
    """Return one weight per class; "balanced" is n / (classes · images of the class).

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        From 0.
    how : {"balanced", "none"}
    classes : int
        How many there are; one without an image, such as a rare type, has the weight 1.

    Returns
    -------
    ndarray of float32, shape (classes,)
    """
    found = np.ones(classes, dtype=np.float32)
    if how == "none":
        return found
    from sklearn.utils.class_weight import compute_class_weight

    there = np.unique(labels)
    found[there] = compute_class_weight("balanced", classes=there, y=labels)
    return found


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
