"""What a trial is worth, and what trials share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("optuna", reason="needs the tune extra")


from tests.experiments.search.conftest import manifest_of, write_weights

from tumorscope.common.errors import InputError
from tumorscope.experiments.search.objective import SharedNetwork, loss_of
from tumorscope.experiments.search.space import changed
from tumorscope.networks.start import start
from tumorscope.networks.weights import weights_identity
from tumorscope.recipes.recipe import Recipe

# Each network takes a few steps: to trace it takes many times as long.
pytestmark = pytest.mark.usefixtures("eager")


def test_weights_that_change_during_a_search_are_told(
    options: dict[str, Any], swift: Recipe
) -> None:
    file = options["output"].parent / "start.weights.h5"
    write_weights(swift, file, seed=1)
    shared = SharedNetwork(manifest_of(options), swift, file, origin=weights_identity(file))
    write_weights(swift, file, seed=2)
    with pytest.raises(InputError, match="have changed since the search was begun"):
        shared.estimator(swift)


def test_networks_are_not_kept_for_every_number_tried(
    options: dict[str, Any], swift: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def watch(recipe: Recipe, weights: str | Path) -> Any:
        built.append(recipe.network.dropout)
        return start(recipe, weights)

    monkeypatch.setattr("tumorscope.experiments.search.objective.start", watch)
    shared = SharedNetwork(manifest_of(options), swift, "none", origin="none")
    for rate in (0.1, 0.2, 0.3):
        estimator = shared.estimator(changed(swift, {"network.dropout": rate}))
        assert estimator.fitter.model.get_layer("dropout").rate == rate
    assert built == [0.1]
    first = estimator.fitter.model
    other = shared.estimator(changed(swift, {"network.dropout": 0.1, "network.head": "flatten"}))
    assert other.fitter.model is not first
    assert len(built) == 2
    assert shared.estimator(swift).fitter.model is not first


def test_trials_that_train_on_places_have_targets_of_their_own(
    options: dict[str, Any], swift: Recipe
) -> None:
    shared = SharedNetwork(manifest_of(options), swift, "none", origin="none")
    dense = changed(swift, {"network.head": "dense", "network.channels": 4})
    known = np.arange(len(shared.manifest))
    for places in (0.0, 1.0, 0.0):
        estimator = shared.estimator(changed(dense, {"optimisation.places": places}))
        records: list[dict[str, Any]] = []
        estimator.fit(known, seed=0, on_epoch=records.append)
        assert ("places_loss" in records[0]) == (places > 0)


def test_losses() -> None:
    labels, scores = np.array([0, 1, 1]), np.array([0.2, 0.9, 0.6])
    assert loss_of(labels, scores, "auc") == 0.0
    expected = -np.mean(np.log([0.8, 0.9, 0.6]))
    assert loss_of(labels, scores, "log-loss") == pytest.approx(expected)


def test_one_class_alone_has_no_auc() -> None:
    with pytest.raises(InputError, match="all of one class"):
        loss_of(np.array([1, 1]), np.array([0.2, 0.9]), "auc")
