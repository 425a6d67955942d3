"""One phase of training: the trained part of a network, its optimizer, and an epoch of it.

Each epoch is a function of the state before it, so that a run that was interrupted goes on as if it
had not been.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import BATCH, Images, batches
from tumorscope.common.errors import InputError
from tumorscope.common.progress import pulse
from tumorscope.networks.body import backbone_of
from tumorscope.networks.fake_quantised import FakeQuantised, fake_quantised
from tumorscope.networks.halves import LOCAL, PROBABILITY, WHOLE, trainable_part
from tumorscope.networks.scaling import SCALINGS, network_input
from tumorscope.recipes.parts import Optimisation
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Record
from tumorscope.records.run_folder import PLACES_LOSS
from tumorscope.training.feature_store import Augmented, FeatureStore, Received
from tumorscope.training.phases import QUANTISED, Phase
from tumorscope.training.places_loss import places_loss
from tumorscope.training.sampling import draw
from tumorscope.training.schedule import cosine, learning_rate_after

if TYPE_CHECKING:
    import keras

MOST_EPOCHS = 10_000
"""Of a phase, as recipes allow them: version numbers of repeated draws start above."""

CALIBRATED_ON = 160
"""Images that decide the ranges of activations; as many as a conversion to 8 bits takes at most."""


class DivergedError(InputError):
    """Training that ended in numbers that are none."""


class Trainer:
    """One phase: the trained part, its optimizer, and an epoch of it."""

    def __init__(
        self,
        model: keras.Model,
        images: Images,
        recipe: Recipe,
        phase: Phase,
        store: FeatureStore,
    ) -> None:
        self._images, self._recipe, self._phase = images, recipe, phase
        self._store = store
        model.trainable = True
        self._on_places = recipe.trains_on_places
        self._rounding: FakeQuantised | None = None
        rounds = phase.name == QUANTISED
        self._part = trainable_part(
            model,
            from_layer=phase.entry,
            # Rounding moves means, which offsets can put right.
            batch_norm="training" if rounds else recipe.fine_tuning.batch_norm,
            size=phase.size,
            places=self._on_places,
            through=self._through_rounding if rounds else None,
        )
        self._trains = [(layer, layer.trainable) for layer in backbone_of(model).layers]
        self._compile()
        self._part.optimizer.build(self._part.trainable_variables)
        self._classes = model.output_shape[-1]
        self._dropouts = [
            layer.seed_generator
            for layer in (*model.layers, *backbone_of(model).layers)
            if hasattr(layer, "seed_generator")
        ]

    def _through_rounding(self, backbone: keras.Model) -> keras.Model:
        scaling = SCALINGS[self._recipe.input.scaling]
        grey = all(np.ndim(each) == 0 for each in scaling)
        self._rounding = fake_quantised(backbone, grey=grey)
        return self._rounding.model

    def _compile(self) -> None:
        """Give the part its optimizer and losses, by output where it is trained on places."""
        import keras

        options = self._recipe.optimisation
        loss = (
            keras.losses.BinaryCrossentropy
            if self._recipe.task == "tumour"
            else keras.losses.CategoricalCrossentropy
        )(label_smoothing=options.label_smoothing)
        several: dict[str, object] = {"loss": loss, "metrics": ["accuracy"]}
        if self._on_places:
            several = {
                "loss": {PROBABILITY: loss, LOCAL: places_loss},
                "loss_weights": {PROBABILITY: 1.0, LOCAL: options.places},
                "metrics": {PROBABILITY: ["accuracy"]},
            }
        optimizer = make_optimizer(options, self._phase.learning_rate)
        self._part.compile(optimizer=optimizer, **several)

    @property
    def optimizer_state(self) -> list[NDArray[np.generic]]:
        """The optimizer's variables; see `restore`."""
        return [np.asarray(variable) for variable in self._part.optimizer.variables]

    def restore(self, values: Sequence[NDArray[np.generic]]) -> None:
        """Set the optimizer's variables; zeros, as before its first step, where `values` is empty.

        Its learning rate is one of them, and is set by each epoch. What trains is set as well,
        because phases share the layers.
        """
        for layer, trains in self._trains:
            layer.trainable = trains
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
        options = self._recipe.optimisation
        rate = learning_rate_after(losses, start=self._phase.learning_rate, options=options)
        self._seed_dropouts(seed, number)
        if self._rounding is not None:
            self._rounding.calibrate(self._calibrating(training, seed))
        generator = np.random.default_rng([seed, number])
        order = draw(self._images, training, self._recipe.sampling, generator)
        labels = self._images.labels[training]
        classes = max(2, self._classes)
        weights = class_weights(labels, options.class_weights, classes=classes)
        means, rate = self._steps(
            order, number + self._repeats(order), weights, epoch=epoch, rate=rate
        )
        last = epoch + 1 == self._phase.epochs
        record: Record = {
            "epoch": number + 1,
            "phase": self._phase.name,
            "learning_rate": float(f"{rate:.9g}"),
            **{name: round(value, 6) for name, value in means.items()},
            **self._measure(tuning, keep_average=last),
        }
        if last and self._rounding is not None:
            self._rounding.settle(self._calibrating(training, seed))
        losses_now = [*means.values(), record.get("tuning_loss", 0.0)]
        if not np.isfinite(losses_now).all():
            raise DivergedError(
                f"The loss is not a number in epoch {number + 1}; expected finite values. The "
                "learning rate is probably too high: lower it in the recipe."
            )
        return {**record, "seconds": round(time.perf_counter() - started, 3)}

    def _seed_dropouts(self, seed: int, number: int) -> None:
        for index, generator in enumerate(self._dropouts):
            # Not the generator's own progress: an epoch must not depend on where the run began.
            words = np.random.SeedSequence([seed, number, index]).generate_state(2)
            generator.state.assign(words.astype(generator.state.dtype))

    def _calibrating(self, training: NDArray[np.int64], seed: int) -> Iterator[NDArray[np.float32]]:
        """Yield the pictures that tell the ranges of a backbone that rounds."""
        chosen = np.random.default_rng([seed]).permutation(training)[:CALIBRATED_ON]
        for some in batches(np.sort(chosen), BATCH):
            (pixels,) = self._store.plain(some, entry=WHOLE)
            yield self._scaled(pixels)

    def _steps(
        self,
        order: NDArray[np.int64],
        versions: NDArray[np.int64],
        weights: NDArray[np.float32],
        *,
        epoch: int,
        rate: float,
    ) -> tuple[dict[str, float], float]:
        """Train on the images in this order; return means as in the history, and the last rate."""
        options = self._recipe.optimisation
        chunks = list(batches(np.arange(len(order)), options.batch_size))
        totals: dict[str, float] = {}

        def prepared(chunk: NDArray[np.int64]) -> Augmented:
            return self._store.augmented(order[chunk], versions[chunk], entry=self._phase.entry)

        # One batch ahead, while the last one trains.
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(prepared, chunks[0])
            for step, chunk in enumerate(chunks):
                pulse()
                batch = coming.result()
                if step + 1 < len(chunks):
                    coming = ahead.submit(prepared, chunks[step + 1])
                if options.schedule == "cosine":
                    done = (epoch + step / len(chunks)) / self._phase.epochs
                    rate = cosine(done, peak=self._phase.learning_rate, warmup=options.warmup)
                self._part.optimizer.learning_rate = rate
                # Keras before 3.15 returns the mean of all batches since the last reset.
                self._part.reset_metrics()
                for name, value in self._step(batch, weights).items():
                    totals[name] = totals.get(name, 0.0) + value * len(chunk)
        return {name: total / len(order) for name, total in totals.items()}, rate

    def _step(self, batch: Augmented, weights: NDArray[np.float32]) -> dict[str, float]:
        """Train on one batch; return loss and accuracy on its images, and the loss on places."""
        targets, of_class = self._targets(batch.labels), weights[batch.labels]
        if not self._on_places:
            logs = self._part.train_on_batch(
                self._enter(batch.features), targets, sample_weight=of_class, return_dict=True
            )
            return {name: float(logs[name]) for name in ("loss", "accuracy")}
        assert batch.places is not None
        logs = self._part.train_on_batch(
            self._enter(batch.features),
            {PROBABILITY: targets, LOCAL: batch.places[..., None]},
            # Classes weigh in the loss on images; what a place shows weighs the same in either.
            sample_weight={PROBABILITY: of_class, LOCAL: np.ones_like(of_class)},
            return_dict=True,
        )
        return {
            "loss": float(logs[f"{PROBABILITY}_loss"]),
            "accuracy": float(logs[f"{PROBABILITY}_accuracy"]),
            PLACES_LOSS: float(logs[f"{LOCAL}_loss"]),
        }

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
        for variable in variables:
            # JAX lets both share memory, which it frees with whatever next uses the network.
            variable.assign(np.asarray(variable).copy())
        measured = self._measure_as_is(indices)
        if not keep_average:
            for variable, values in zip(variables, raw, strict=True):
                variable.assign(values)
        return measured

    def _measure_as_is(self, indices: NDArray[np.int64]) -> dict[str, float]:
        if len(indices) == 0:
            return {}
        entry = self._phase.entry
        scores = []
        for batch in batches(indices, self._recipe.optimisation.batch_size):
            made = self._part.predict_on_batch(self._enter(self._store.plain(batch, entry=entry)))
            scores.append(made[PROBABILITY] if self._on_places else made)
        labels = self._images.labels[indices]
        return tuning_values(labels, np.concatenate([np.asarray(each) for each in scores]))

    def _enter(self, features: Received) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        if self._phase.entry == WHOLE:
            return self._scaled(features[0])
        inputs = [each.astype(np.float32) for each in features]
        return inputs if len(inputs) > 1 else inputs[0]

    def _scaled(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        return network_input(pixels.astype(np.uint8), self._recipe.input.scaling)


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


def tuning_values(labels: NDArray[np.int64], scores: NDArray[np.generic]) -> dict[str, float]:
    """Return what an epoch reached on tuning images, rounded to what can be believed.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        From 0.
    scores : ndarray, shape (n, classes)
        One column, of the tumour, where there are two classes.

    Returns
    -------
    dict of str to float
        tuning_loss, tuning_accuracy, and of two classes tuning_auc, where both are there.

    Examples
    --------
    >>> import numpy as np
    >>> tuning_values(np.array([0, 1]), np.array([[0.2], [0.5]]))
    {'tuning_loss': 0.458145, 'tuning_accuracy': 1.0, 'tuning_auc': 1.0}
    """
    from sklearn.metrics import roc_auc_score

    values = scores.astype(np.float64)
    binary = values.shape[1] == 1
    if binary:
        values = np.hstack([1 - values, values])
    given = np.clip(values[np.arange(len(labels)), labels], 1e-7, 1 - 1e-7)
    # Of two equal scores the tumour is called, as at every operating point.
    calls = values[:, 1] >= 0.5 if binary else values.argmax(axis=1)
    measured = {
        "tuning_loss": round(float(-np.log(given).mean()), 6),
        "tuning_accuracy": round(float(np.mean(calls == labels)), 6),
    }
    if binary and 0 < labels.sum() < len(labels) and np.isfinite(values).all():
        measured["tuning_auc"] = round(float(roc_auc_score(labels, values[:, 1])), 6)
    return measured
