"""A small search, as its tests ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.manifest import Manifest
from tumorscope.networks.network import build
from tumorscope.recipes.recipe import Recipe

SPACE = """
"frozen.learning_rate" = {low = 1e-4, high = 1e-1, log = true}
"network.dropout" = {low = 0, high = 0.6}
"optimisation.class_weights" = {choices = ["balanced", "none"]}
"""


def search_options(swift: Recipe, data: Path, folder: Path) -> dict[str, Any]:
    (folder / "space.toml").write_text(SPACE)
    return {
        "data": data,
        "recipe": swift,
        "space": folder / "space.toml",
        "weights": "none",
        "inner_folds": 2,
        "output": folder / "out",
    }


@pytest.fixture
def options(swift: Recipe, tiny_cohort: Path, tmp_path: Path) -> dict[str, Any]:
    return search_options(swift, tiny_cohort, tmp_path)


def manifest_of(options: dict[str, Any]) -> Manifest:
    return prepare_manifest(options["data"]).usable


def write_weights(recipe: Recipe, file: Path, *, seed: int) -> None:
    import keras

    keras.utils.set_random_seed(seed)
    build(recipe).layers[0].save_weights(file)
