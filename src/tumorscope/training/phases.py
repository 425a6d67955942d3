"""The phases that a recipe trains in."""

from __future__ import annotations

from dataclasses import dataclass

from tumorscope.networks.halves import WHOLE
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.feature_store import CutLayer

PHASES = ("frozen", "fine-tuning", "finishing", "quantised")

QUANTISED = PHASES[3]
"""In which the backbone rounds to 8 bits."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: how long it trains what, on pictures of which size.

    Attributes
    ----------
    name : str
        One of `PHASES`.
    epochs : int
    learning_rate : float
        Of its first epoch.
    entry : CutLayer
        Where the trained part begins.
    size : int
        Edge of the pictures, in pixels.
    """

    name: str
    epochs: int
    learning_rate: float
    entry: CutLayer
    size: int


def phases_of(recipe: Recipe) -> list[Phase]:
    """Return the phases of a recipe that have epochs.

    Examples
    --------
    >>> [(each.name, each.epochs) for each in phases_of(Recipe.load("paper"))]
    [('frozen', 20), ('fine-tuning', 10)]
    """
    full, tuned = recipe.input.size, recipe.fine_tuning
    every = [
        Phase(PHASES[0], recipe.frozen.epochs, recipe.frozen.learning_rate, None, full),
        Phase(PHASES[1], tuned.epochs, tuned.learning_rate, tuned.from_layer, tuned.size or full),
        Phase(
            PHASES[2],
            recipe.finishing.epochs,
            recipe.finishing.learning_rate,
            tuned.from_layer,
            full,
        ),
        Phase(QUANTISED, recipe.quantised.epochs, recipe.quantised.learning_rate, WHOLE, full),
    ]
    return [phase for phase in every if phase.epochs]


def epochs_of(recipe: Recipe) -> int:
    """Return how many epochs all phases of a recipe have.

    Examples
    --------
    >>> epochs_of(Recipe.load("paper"))
    30
    """
    return sum(phase.epochs for phase in phases_of(recipe))
