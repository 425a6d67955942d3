"""The learning rate as a function of the history equals Keras' callback."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscope.recipes.parts import Optimisation
from tumorscope.training.schedule import cosine, learning_rate_after


@settings(max_examples=60, deadline=None)
@given(
    losses=st.lists(st.floats(0.01, 3.0), max_size=25),
    patience=st.integers(1, 4),
    factor=st.sampled_from([0.1, 0.5, 0.9]),
)
def test_it_is_what_keras_callback_does(losses: list[float], patience: int, factor: float) -> None:
    import keras

    callback = keras.callbacks.ReduceLROnPlateau(patience=patience, factor=factor, min_lr=1e-6)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
    options = Optimisation(
        plateau_patience=patience, plateau_factor=factor, minimum_learning_rate=1e-6
    )
    rate = learning_rate_after(losses, start=1e-3, options=options)
    assert rate == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)


def test_cosine_warms_up_and_then_only_falls() -> None:
    rates = [cosine(step / 100, peak=1e-3, warmup=0.2) for step in range(101)]
    assert rates[0] == pytest.approx(1e-5)
    assert max(rates) == rates[20] == pytest.approx(1e-3)
    assert all(before < after for before, after in pairwise(rates[:21]))
    assert all(before > after for before, after in pairwise(rates[20:]))
    assert rates[-1] == pytest.approx(1e-5)


def test_cosine_does_not_listen_to_the_tuning_loss() -> None:
    options = Optimisation(schedule="cosine", plateau_patience=1)
    assert learning_rate_after([1.0, 2.0, 3.0], start=0.01, options=options) == 0.01
