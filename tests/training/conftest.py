"""A recipe that trains in seconds on the tiny cohort."""

from __future__ import annotations

import pytest

from tumorscope.training.recipe import Recipe


@pytest.fixture
def quick() -> Recipe:
    """Both phases, 32 px, a cut inside the backbone, all augmentations, dropout."""
    recipe = Recipe.load("paper")
    changes: dict[str, dict[str, object]] = {
        "input": {"size": 32},
        "augmentation": {"variants": 2},
        "network": {"backbone": "small_cnn", "units": 8},
        "frozen": {"epochs": 2, "learning_rate": 1e-2},
        "fine_tuning": {"epochs": 2, "learning_rate": 1e-3, "from_layer": "conv_3"},
        "optimisation": {"batch_size": 4, "plateau_patience": 1},
    }
    parts = {name: getattr(recipe, name).model_copy(update=new) for name, new in changes.items()}
    return recipe.model_copy(update={"name": "quick", **parts})
