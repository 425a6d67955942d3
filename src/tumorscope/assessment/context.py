"""What a report says beside its results: notes on the recipe, library versions, pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.versions import versions
from tumorscope.imaging import read_slice
from tumorscope.networks.backbones import lookup
from tumorscope.networks.imagenet import IMAGENET
from tumorscope.recipes.recipe import CORRECTS_TWICE, Recipe
from tumorscope.reports.published import THE_PAPER, Published


def picture_reader(manifest: Manifest) -> Callable[[int], NDArray[np.uint8]]:
    """Return a function from a row's position to its grey pixels, uint8 (height, width)."""
    return lambda index: read_slice(manifest.file(manifest.rows[index])).pixels


def notes_on(recipe: Recipe) -> list[str]:
    """Return what a reader should know of a recipe before trusting its results."""
    notes = []
    if recipe.network.backbone == "mobilenet_v2" and recipe.input.scaling == "unit":
        notes.append(
            "The network receives grey values divided by 255, as in the paper, although its "
            "ImageNet weights were trained on values from −1 to 1 (x/127.5 − 1)."
        )
    elif (
        recipe.network.backbone in IMAGENET
        and (known := lookup(recipe.network.backbone)).scaling != recipe.input.scaling
    ):
        notes.append(
            f"The network receives its input scaled as “{recipe.input.scaling}”, although ImageNet "
            f"weights of {known.title} expect “{known.scaling}”."
        )
    if recipe.corrects_twice:
        notes.append(CORRECTS_TWICE)
    if recipe.input.fit == "stretch" and recipe.input.crop == "none":
        notes.append(
            "Images are stretched to a square without cropping, as in the paper: border, aspect "
            "ratio and brightness stay visible to the network and may tell it the source instead "
            "of the tumour. The audit's shortcut chart shows how much they tell."
        )
    return notes


def measured_by() -> dict[str, str]:
    """Return the versions that measure now, beside those that a model was made with."""
    return {f"measured with: {name}": version for name, version in versions().items()}


def published_for(recipe: Recipe) -> Published | None:
    """Return what the paper claims, where the recipe is the paper's, whatever its name."""
    return THE_PAPER if recipe.follows(Recipe.load("paper")) else None
