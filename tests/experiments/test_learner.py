"""What a learner may know is divided into training and tuning images, by group."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.experiments.learner import network_learner, training_and_tuning
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import SplitMode
from tumorscope.training.phases import epochs_of

LABELS = np.arange(36) % 2
GROUPS = np.array([f"{index // 4}-{index % 2}" for index in range(36)])
KNOWN = np.arange(4, 36)


def test_a_sixth_steers_the_learning_rate_where_the_recipe_says_so() -> None:
    paper = Recipe.load("paper")
    assert paper.optimisation.schedule == "plateau"
    training, tuning = training_and_tuning(KNOWN, LABELS, GROUPS, paper, seed=1, split_by="group")
    assert sorted([*training, *tuning]) == KNOWN.tolist()
    assert 4 <= len(tuning) <= 8
    assert not set(GROUPS[training]) & set(GROUPS[tuning])


@pytest.mark.parametrize(
    ("split_by", "unit"), [("group", "1 group with a tumour"), ("random", "1 image with a tumour")]
)
def test_too_few_of_a_class_to_tune_on_are_told(split_by: SplitMode, unit: str) -> None:
    few = np.array([0, 2, 5, 8, 12])  # 5 alone shows a tumour
    with pytest.raises(InputError, match=f"{unit} and . (group|image)s without.*kept for tuning"):
        training_and_tuning(few, LABELS, GROUPS, Recipe.load("paper"), seed=1, split_by=split_by)


def test_all_train_with_another_schedule() -> None:
    recipe = Recipe.load("paper").changed({"optimisation.schedule": "cosine"})
    training, tuning = training_and_tuning(KNOWN, LABELS, GROUPS, recipe, seed=1, split_by="group")
    assert training.tolist() == KNOWN.tolist()
    assert len(tuning) == 0


def test_the_network_of_a_recipe_has_no_name_of_its_own() -> None:
    recipe = Recipe.load("paper")
    learner = network_learner(recipe, "none")
    assert (learner.name, learner.epochs) == ("", epochs_of(recipe))
    assert [origin.kind for origin in learner.weights] == ["none"]
