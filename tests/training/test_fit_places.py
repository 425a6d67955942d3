"""Fitting with a loss on places, and in the phase that rounds to 8 bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.eager import eagerly
from tests.fixtures.fits import TRAINING, TUNING, Whole, fitted, small_images, without_seconds

from tumorscope.cohort.arrays import Images
from tumorscope.common.errors import InputError
from tumorscope.imaging.lesion_mask import pack_mask
from tumorscope.networks.halves import LOCAL, trainable_part
from tumorscope.networks.network import build
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.fit import Fitter, initialise_head


@pytest.fixture(scope="module")
def images() -> Images:
    return small_images()


@pytest.fixture(scope="module")
def larger() -> Images:
    return small_images(times=2)


@pytest.fixture(scope="module")
def dense(quick: Recipe) -> Recipe:
    """The dense head, trained on places: the head first, then the network, small before large."""
    document = quick.model_dump()
    document |= {
        "input": document["input"] | {"size": 64},
        "augmentation": {"lesions": 0.3, "rotation": 5.0},
        "network": document["network"] | {"head": "dense", "channels": 8, "dropout": 0.2},
        "frozen": {"epochs": 1, "learning_rate": 1e-2},
        "fine_tuning": {"epochs": 1, "learning_rate": 1e-2, "size": 32},
        "finishing": {"epochs": 1, "learning_rate": 1e-3},
        "optimisation": {"places": 1.0, "schedule": "cosine", "ema": 0.9, "batch_size": 8},
    }
    return Recipe.parse(document)


@pytest.fixture(scope="module")
def whole_dense(larger: Images, dense: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Step by step; `whole_quantised` is trained on places with the graph."""
    with eagerly():
        return fitted(larger, dense, tmp_path_factory.mktemp("dense"))


@pytest.mark.parametrize("stop", [1, 2])
def test_a_training_on_places_survives_a_kill(
    whole_dense: Whole, tmp_path: Path, stop: int
) -> None:
    with eagerly():
        whole_dense.check_going_on(tmp_path / "checkpoint.bin", after=stop)


def test_the_history_tells_the_loss_on_places_beside_that_on_images(
    whole_dense: Whole, larger: Images, dense: Recipe
) -> None:
    history = whole_dense.history
    assert [record["phase"] for record in history] == ["frozen", "fine-tuning", "finishing"]
    names = list(history[0])
    assert names[names.index("accuracy") + 1] == "places_loss"
    assert all(float(record["places_loss"]) > 0 for record in history)
    # The weight of the places changes what is learned, not how the loss on images is told.
    heavy = dense.changed(
        {"optimisation.places": 50.0, "fine_tuning.epochs": 0, "finishing.epochs": 0}
    )
    with eagerly():
        other = Fitter(build(heavy), larger, heavy).fit(training=TRAINING, tuning=TUNING, seed=0)
    assert float(other[0]["loss"]) < 5.0


def test_a_cut_behind_the_finer_map_trains_on_both_maps(larger: Images, dense: Recipe) -> None:
    recipe = dense.changed(
        {"fine_tuning.from_layer": "conv_4", "fine_tuning.size": 0, "augmentation.variants": 1}
    )
    fitter = Fitter(build(recipe), larger, recipe)
    with eagerly():
        history = fitter.fit(training=TRAINING, tuning=TUNING, seed=0)
    assert np.isfinite([float(record["loss"]) for record in history]).all()
    # The three phases take their features from one pass.
    assert list(fitter._stores) == ["frozen, fine-tuning, finishing"]


def test_places_teach_where_the_lesion_is(larger: Images, dense: Recipe) -> None:
    """Masks on the bright squares: local logits are high there and low elsewhere."""
    import keras

    keras.utils.set_random_seed(0)
    inside = np.zeros((64, 64), np.bool_)
    inside[20:40, 20:40] = True
    masks = tuple(pack_mask(inside) if label else None for label in larger.labels)
    images = replace(larger, masks=masks)
    recipe = dense.changed(
        {
            "augmentation.lesions": 0.0,
            "frozen.epochs": 0,
            "fine_tuning.epochs": 0,
            "finishing.epochs": 8,
            "finishing.learning_rate": 1e-2,
            "fine_tuning.batch_norm": "training",
            "optimisation.ema": 0.0,
        }
    )
    model = build(recipe)
    with eagerly():
        Fitter(model, images, recipe).fit(training=TRAINING, tuning=TUNING, seed=0)
    part = trainable_part(model, from_layer="input", batch_norm="frozen", places=True)
    pixels = network_input(images.pixels[TUNING][1::2], recipe.input.scaling)
    local = np.asarray(part.predict_on_batch(pixels)[LOCAL])[..., 0].mean(axis=0)
    assert local.shape == (4, 4)
    assert local[1:3, 1:3].min() > np.delete(local.ravel(), [5, 6, 9, 10]).max()


def test_a_loss_on_places_needs_places_and_one_question(dense: Recipe) -> None:
    with pytest.raises(InputError, match=r"places is 1; a loss on places needs.*\"pooled\""):
        dense.changed({"network.head": "pooled"})
    with pytest.raises(InputError, match=r"needs network.head = \"dense\" and task"):
        dense.changed({"task": "tumour-type", "augmentation.lesions": 0.0})
    assert dense.for_task("tumour-type").optimisation.places == 0.0


def test_every_kernel_of_the_dense_head_follows_the_seed(dense: Recipe) -> None:
    one, two = build(dense), build(dense)
    kernels = ("coarse", "fine", "local")
    for model in (one, two):
        initialise_head(model, 5)
    for name in kernels:
        np.testing.assert_array_equal(one.get_layer(name).kernel, two.get_layer(name).kernel)
    initialise_head(two, 6)
    for name in kernels:
        assert not np.array_equal(one.get_layer(name).kernel, two.get_layer(name).kernel)


@pytest.fixture(scope="module")
def whole_quantised(
    larger: Images, dense: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    recipe = dense.changed(
        {
            "frozen.epochs": 0,
            "finishing.epochs": 0,
            "quantised.epochs": 2,
            "quantised.learning_rate": 1e-3,
        }
    )
    return fitted(larger, recipe, tmp_path_factory.mktemp("quantised"))


def test_the_network_goes_on_while_its_backbone_rounds(whole_quantised: Whole) -> None:
    history = whole_quantised.history
    assert [record["phase"] for record in history] == ["fine-tuning", "quantised", "quantised"]
    assert np.isfinite([float(record["tuning_loss"]) for record in history]).all()
    # What is left is the ordinary network: rounding is no part of it.
    model = whole_quantised.fitter.model
    assert not any("rounded" in variable.path for variable in model.variables)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_training_that_rounds_survives_a_kill(
    whole_quantised: Whole, tmp_path: Path, stop: int
) -> None:
    whole_quantised.check_going_on(tmp_path / "checkpoint.bin", after=stop)


def test_a_fold_after_one_that_rounded_trains_the_same_variables(whole_quantised: Whole) -> None:
    fitter = whole_quantised.fitter
    again = fitter.fit(training=TRAINING, tuning=TUNING, seed=0)
    assert without_seconds(again) == without_seconds(whole_quantised.history)
