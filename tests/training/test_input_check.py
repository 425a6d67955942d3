"""The input check of a run is fitted on what it knows, and measured on what it does not."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.imaging import prepare
from tumorscope.model_file.schema import InputCheck
from tumorscope.networks.network import build
from tumorscope.recipes.recipe import Recipe
from tumorscope.synthetic.not_brain import draw_not_brain
from tumorscope.synthetic.phantom_slice import phantom_slice
from tumorscope.training.input_check import FEWEST_FOR_A_LIMIT, fit_input_check

N = 80
"""Phantoms, every fourth of them for testing."""


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    parts = {"input": {"size": 32}, "network": {"backbone": "small_cnn", "head": "pooled"}}
    return Recipe.parse({"name": "checked", **parts})


@pytest.fixture(scope="module")
def pixels(recipe: Recipe) -> NDArray[np.uint8]:
    how = recipe.input.preprocessing
    scans = [phantom_slice(tumour=bool(n % 2), seed=n, size=64) for n in range(N)]
    return np.stack([prepare(scan, how) for scan in scans])


def cohort(split: str = "testing") -> Manifest:
    rows = [
        Row(
            path=f"{n}.png",
            sha256=f"{n:064x}",
            label=n % 2,
            group=f"g{n}",
            split=split if n % 4 == 0 else "training",
        )
        for n in range(N)
    ]
    return Manifest(tuple(rows), Path())


def known(manifest: Manifest) -> NDArray[np.bool_]:
    return np.array([row.split in ("training", "tuning") for row in manifest.rows])


def test_brains_pass_and_other_pictures_are_refused_more_often(
    recipe: Recipe, pixels: NDArray[np.uint8]
) -> None:
    keras.utils.set_random_seed(0)
    model, manifest = build(recipe), cohort()
    space, check = fit_input_check(model, recipe, manifest, pixels, known(manifest))
    assert space is not None
    assert check.distance is not None
    assert check.refused_brain is not None
    assert check.refused_other is not None
    assert check.refused_brain.value <= 0.15
    assert check.refused_brain.high < 0.5
    # A network that has learnt nothing tells some of them.
    assert check.refused_other.value >= check.refused_brain.value + 0.1
    # The share is Wilson's of the pictures that were drawn.
    n = len(list(draw_not_brain()))
    assert check.refused_other.value * n == pytest.approx(round(check.refused_other.value * n))
    assert check.refused_other.low < check.refused_other.value <= check.refused_other.high


def test_without_testing_images_no_share_of_brains_is_claimed(
    recipe: Recipe, pixels: NDArray[np.uint8]
) -> None:
    model, manifest = build(recipe), cohort(split="tuning")
    _, check = fit_input_check(model, recipe, manifest, pixels, known(manifest))
    assert check.distance is not None
    assert check.refused_brain is None
    assert check.refused_other is not None


def test_too_few_images_give_no_limit(recipe: Recipe, pixels: NDArray[np.uint8]) -> None:
    manifest = cohort()
    few = known(manifest) & (np.arange(N) < FEWEST_FOR_A_LIMIT)
    assert few.sum() < FEWEST_FOR_A_LIMIT
    found = fit_input_check(build(recipe), recipe, manifest, pixels, few)
    assert found == (None, InputCheck())
    # Nor do many of which one class lies in a handful of groups.
    grouped = manifest.having(
        Row(**{**{k: getattr(row, k) for k in ("path", "sha256", "label", "split")},
               "group": "one" if row.label else row.group})
        for row in manifest.rows
    )  # fmt: skip
    found = fit_input_check(build(recipe), recipe, grouped, pixels, known(grouped))
    assert found == (None, InputCheck())
