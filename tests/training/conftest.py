"""A recipe that trains in seconds on the tiny cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.training.crossval import crossval
from tumorscope.training.recipe import Recipe
from tumorscope.training.run import train


def changed(recipe: Recipe, name: str, changes: Mapping[str, Mapping[str, object]]) -> Recipe:
    """Another recipe with some values changed."""
    parts = {part: getattr(recipe, part).model_copy(update=new) for part, new in changes.items()}
    return recipe.model_copy(update={"name": name, **parts})


@pytest.fixture(scope="session")
def able_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned something, whose model file answers, abstains and refuses.

    80 images of noise, half of them with a bright disc; copy the folder before changing it.
    """
    root = tmp_path_factory.mktemp("able")
    discs(root / "data", n=80, seed=5)
    changes: dict[str, dict[str, object]] = {
        "data": {"fractions": (0.5, 0.25, 0.25)},
        "input": {"size": 32},
        "network": {"backbone": "small_cnn", "head": "pooled", "dropout": 0.0},
        "augmentation": {"variants": 1, "rotation": 0.0},
        "frozen": {"epochs": 0},
        "fine_tuning": {"epochs": 10, "learning_rate": 5e-3, "from_layer": "input"},
        "optimisation": {"batch_size": 8},
    }
    recipe = changed(Recipe.load("paper"), "able", changes)
    return train(root / "data", recipe=recipe, weights="none", output=root / "run").folder


def discs(folder: Path, *, n: int, seed: int) -> Path:
    """Draw noise, 64 × 64, into yes/ and no/; a bright disc in every picture of yes/."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64]
    for index in range(n):
        name = ("no", "yes")[index % 2]
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = generator.normal(90, 25, (8, 8)).repeat(8, 0).repeat(8, 1)
        y, x = generator.integers(16, 48, 2)
        if name == "yes":
            inside = (rows - y) ** 2 + (columns - x) ** 2 < generator.integers(60, 260)
            pixels[inside] += generator.integers(100, 160)
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(folder / name / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def other_discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures of the same kind that `able_run` has not seen."""
    return discs(tmp_path_factory.mktemp("other") / "elsewhere", n=16, seed=9)


@pytest.fixture(scope="session")
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
    return changed(recipe, "quick", changes)


@dataclass(frozen=True)
class Begun:
    """What was made of the tiny cohort by the quick recipe from random weights; to be copied."""

    cohort: Path
    recipe: Recipe
    finished: Path
    interrupted: Path
    crossval: Path


@pytest.fixture(scope="session")
def begun(
    quick: Recipe, drawn_tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory
) -> Begun:
    """A finished run, one that was interrupted after its last epoch, and a cross-validation."""
    folder = tmp_path_factory.mktemp("begun")
    train(drawn_tiny_cohort, recipe=quick, weights="none", output=folder / "finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tumorscope.training.run.write_csv", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(drawn_tiny_cohort, recipe=quick, weights="none", output=folder / "interrupted")
    crossval(
        drawn_tiny_cohort,
        recipe=quick,
        weights="none",
        folds=2,
        repeats=1,
        output=folder / "crossval",
    )
    return Begun(
        drawn_tiny_cohort,
        quick,
        *(folder / name for name in ("finished", "interrupted", "crossval")),
    )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
