"""Fitting: phases, resumption, independence of folds, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.eager import eagerly
from tests.fixtures.fits import TRAINING, TUNING, Whole, fitted, small_images, without_seconds

from tumorscope.cohort.arrays import Images
from tumorscope.common.errors import InputError
from tumorscope.networks.network import build
from tumorscope.recipes.parts import Augmentation, Finishing
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.fit import Fitter, initialise_head
from tumorscope.training.trainer import class_weights


@pytest.fixture(scope="module")
def images() -> Images:
    return small_images()


@pytest.fixture(scope="module")
def whole(images: Images, quick: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return fitted(images, quick, tmp_path_factory.mktemp("whole"))


def test_the_history_tells_both_phases(whole: Whole) -> None:
    history = whole.history
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert [record["phase"] for record in history] == ["frozen"] * 2 + ["fine-tuning"] * 2
    assert history[0]["learning_rate"] == 1e-2
    assert history[2]["learning_rate"] == 1e-3
    assert all(0 <= float(record["tuning_auc"]) <= 1 for record in history)


def test_it_learns(images: Images, quick: Recipe) -> None:
    longer = quick.model_copy(
        update={
            "frozen": quick.frozen.model_copy(update={"epochs": 0}),
            "fine_tuning": quick.fine_tuning.model_copy(
                update={
                    "epochs": 12,
                    "learning_rate": 1e-2,
                    "from_layer": "input",
                    "batch_norm": "training",
                }
            ),
            "augmentation": quick.augmentation.model_copy(update={"variants": 0}),
        }
    )
    fitter = Fitter(build(longer), images, longer)
    history = fitter.fit(training=TRAINING, tuning=TUNING, seed=0)
    assert float(history[-1]["loss"]) < float(history[0]["loss"])
    scores = fitter.predict(TUNING)
    assert scores.shape == (8,)
    assert np.all((scores >= 0) & (scores <= 1))
    assert history[-1]["tuning_auc"] > 0.9


def test_the_loss_of_an_epoch_is_that_of_its_own_batches(images: Images, quick: Recipe) -> None:
    """With one batch an epoch, it is the tuning loss of the same images an epoch before."""
    import keras

    keras.utils.set_random_seed(0)
    changes: dict[str, dict[str, Any]] = {
        "frozen": {"epochs": 5, "learning_rate": 1.0},
        "fine_tuning": {"epochs": 0},
        "network": {"head": "pooled", "dropout": 0.0},
        "optimisation": {"batch_size": 24, "class_weights": "none", "plateau_patience": 9},
    }
    parts = {name: getattr(quick, name) for name in changes}
    copies = {name: parts[name].model_copy(update=new) for name, new in changes.items()}
    plain = quick.model_copy(update={**copies, "augmentation": Augmentation()})
    everything = np.arange(24)
    history = Fitter(build(plain), images, plain).fit(
        training=everything, tuning=everything, seed=0
    )
    losses = [float(record["loss"]) for record in history]
    assert max(losses) - min(losses) > 0.005
    before = [float(record["tuning_loss"]) for record in history[:-1]]
    np.testing.assert_allclose(losses[1:], before, atol=1e-4)


def test_a_fold_does_not_depend_on_the_folds_before_it(whole: Whole) -> None:
    fitter = whole.fitter
    first = fitter.fit(training=TRAINING, tuning=TUNING, seed=3)
    scores = fitter.predict(TUNING)
    fitter.fit(training=np.arange(8, 24), tuning=np.arange(8), seed=4)
    again = fitter.fit(training=TRAINING, tuning=TUNING, seed=3)
    assert without_seconds(again) == without_seconds(first)
    np.testing.assert_array_equal(fitter.predict(TUNING), scores)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_going_on_is_the_same_as_never_stopping(whole: Whole, tmp_path: Path, stop: int) -> None:
    whole.check_going_on(tmp_path / "checkpoint.bin", after=stop)


def test_the_head_depends_on_the_seed_alone(quick: Recipe) -> None:
    one, two = build(quick), build(quick)
    initialise_head(one, 5)
    initialise_head(two, 5)
    np.testing.assert_array_equal(one.layers[2].kernel, two.layers[2].kernel)
    initialise_head(two, 6)
    assert not np.array_equal(one.layers[2].kernel, two.layers[2].kernel)


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(class_weights(labels, "balanced"), [4 / 6, 4 / 2])
    np.testing.assert_array_equal(class_weights(labels, "none"), [1, 1])


def test_one_class_only_is_refused(images: Images, quick: Recipe) -> None:
    fitter = Fitter(build(quick), images, quick)
    with pytest.raises(InputError, match="8 images with tumour and 0 without"):
        fitter.fit(training=np.arange(1, 16, 2), tuning=TUNING, seed=0)
    with pytest.raises(InputError, match="no tuning images"):
        fitter.fit(training=TRAINING, tuning=np.arange(0), seed=0)


def test_a_loss_that_is_no_number_ends_the_run(images: Images, quick: Recipe) -> None:
    fitter = Fitter(build(quick), images, quick)
    spoilt = [np.full_like(value, np.nan) for value in fitter.model.get_weights()]
    fitter._start = spoilt
    with eagerly(), pytest.raises(InputError, match="not a number in epoch 1"):
        fitter.fit(training=TRAINING, tuning=TUNING, seed=0)


@pytest.fixture(scope="module")
def modern(quick: Recipe) -> Recipe:
    """Everything that "recommended" does, on a network that trains in seconds."""
    document = quick.model_dump()
    document |= {
        "sampling": {"by": "source", "images_per_epoch": 24},
        "augmentation": {"lesions": 0.3, "acquisition": 0.5, "prepare_again": 0.5},
        "network": document["network"] | {"head": "pooled"},
        "frozen": {"epochs": 0},
        "fine_tuning": {"epochs": 2, "learning_rate": 1e-3, "size": 32},
        "finishing": {"epochs": 1, "learning_rate": 1e-4},
        "input": document["input"] | {"size": 64},
        "optimisation": {
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "schedule": "cosine",
            "label_smoothing": 0.1,
            "ema": 0.9,
            "class_weights": "none",
            "batch_size": 8,
        },
    }
    return Recipe.parse(document)


@pytest.fixture(scope="module")
def larger() -> Images:
    return small_images(times=2)


@pytest.fixture(scope="module")
def whole_modern(larger: Images, modern: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Step by step; `whole` is trained with the graph."""
    with eagerly():
        return fitted(larger, modern, tmp_path_factory.mktemp("modern"))


def test_small_pictures_train_first_and_large_ones_finish(whole_modern: Whole) -> None:
    fitter, history = whole_modern.fitter, whole_modern.history
    assert [record["phase"] for record in history] == ["fine-tuning"] * 2 + ["finishing"]
    sizes = {name: trainer._part.input_shape[1] for name, trainer in fitter._trainers.items()}
    assert sizes == {"fine-tuning": 32, "finishing": 64}
    assert fitter.model.input_shape == (None, 64, 64, 3)
    assert np.isfinite(fitter.predict(TUNING)).all()


def test_without_a_plateau_no_tuning_images_are_needed(whole_modern: Whole) -> None:
    with eagerly():
        history = whole_modern.fitter.fit(training=np.arange(24), tuning=np.arange(0), seed=0)
    assert len(history) == 3
    assert all("tuning_loss" not in record for record in history)


@pytest.mark.parametrize("stop", [1, 2])
def test_averaged_weights_and_schedules_survive_a_kill(
    whole_modern: Whole, tmp_path: Path, stop: int
) -> None:
    with eagerly():
        whole_modern.check_going_on(tmp_path / "checkpoint.bin", after=stop)


def test_the_average_lags_behind_the_last_weights(larger: Images, modern: Recipe) -> None:
    tuned = modern.fine_tuning.model_copy(update={"learning_rate": 0.05})
    model = build(modern)
    start = model.get_weights()
    moved = []
    for ema in (0.0, 0.99):
        recipe = modern.model_copy(
            update={
                "fine_tuning": tuned,
                "finishing": Finishing(),
                "optimisation": modern.optimisation.model_copy(update={"ema": ema}),
            }
        )
        model.set_weights(start)
        with eagerly():
            Fitter(model, larger, recipe).fit(training=TRAINING, tuning=TUNING, seed=0)
        moved.append(np.abs(model.get_weights()[0] - start[0]).mean())
    assert moved[1] < 0.5 * moved[0]


def test_a_size_that_cannot_train_is_refused(modern: Recipe) -> None:
    document = modern.model_dump()
    for change in ({"size": 40}, {"from_layer": "conv_3"}):
        wrong = {**document, "fine_tuning": document["fine_tuning"] | change}
        with pytest.raises(InputError, match="multiples of 32"):
            Recipe.parse(wrong)
