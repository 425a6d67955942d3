"""What is cross-validated: something that is fitted to images of a cohort and scores others."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import Images, load_images
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.errors import InputError
from tumorscope.common.words import counted
from tumorscope.networks.start import start
from tumorscope.networks.weights import record_of
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import Record
from tumorscope.records.protocol import SplitMode
from tumorscope.training.fit import Fitter
from tumorscope.training.phases import epochs_of
from tumorscope.training.trainer import DivergedError


class Estimator(typing.Protocol):
    """What a learner makes of a cohort: it is fitted to some of the images, and scores others."""

    def fit(
        self,
        known: NDArray[np.int64],
        *,
        seed: int,
        on_epoch: Callable[[Record], None] | None = None,
    ) -> None:
        """Fit to images of the cohort, by position, whatever was fitted before."""

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores, float64 (n,) or (n, classes), of images of the cohort."""


@dataclass(frozen=True, slots=True)
class Learner:
    """What is cross-validated.

    Attributes
    ----------
    start : callable
        (cohort, how its folds are made) → what fits and scores its folds.
    weights : tuple of Weights
        What it starts from, for each backbone.
    title : str
        For the report.
    epochs : int
        How often `Estimator.fit` calls `on_epoch`.
    name : str
        Part of the protocol: folds of another learner are refused. "" is the network of the
        recipe.
    command : str
        Reproduces the result; "" is the command of a cross-validation.
    """

    start: Callable[[Manifest, SplitMode], Estimator]
    weights: tuple[Weights, ...]
    title: str
    epochs: int
    name: str = ""
    command: str = ""


class NetworkEstimator:
    """The network of a recipe, fitted to folds of a cohort.

    Parameters
    ----------
    fitter : Fitter
        Of the network.
    images : Images
        The cohort.
    recipe : Recipe
        Decides whether images must be kept for tuning.
    split_by : {"group", "random"}
        How those are chosen.
    """

    def __init__(
        self, fitter: Fitter, images: Images, recipe: Recipe, *, split_by: SplitMode = "group"
    ) -> None:
        self.fitter, self._images = fitter, images
        self._recipe, self._split_by = recipe, split_by

    def fit(
        self,
        known: NDArray[np.int64],
        *,
        seed: int,
        on_epoch: Callable[[Record], None] | None = None,
    ) -> None:
        """Train on the images at these positions, a part of which may steer the learning rate."""
        training, tuning = training_and_tuning(
            known,
            self._images.labels,
            self._images.groups,
            self._recipe,
            seed=seed,
            split_by=self._split_by,
        )
        self.fitter.fit(training=training, tuning=tuning, seed=seed, on_epoch=on_epoch)

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores of images of the cohort."""
        return self.fitter.predict(indices)


def finite_scores(estimator: Estimator, tested: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the scores of images.

    Raises
    ------
    DivergedError
        If one is not a number.
    """
    scores = estimator.predict(tested)
    if not np.isfinite(scores).all():
        raise DivergedError(
            "The scores are not numbers after the last epoch; expected finite values. The learning "
            "rate is probably too high: lower it in the recipe."
        )
    return scores


def network_learner(recipe: Recipe, weights: str | Path) -> Learner:
    """Return the learner that trains the network which a recipe describes.

    Raises
    ------
    WeightsError
        If there is no such file of weights.
    """
    return Learner(
        start=lambda manifest, split_by: network_estimator(
            recipe, weights, manifest, split_by=split_by
        ),
        weights=(record_of(recipe.network.backbone, weights),),
        title=f"the recipe “{recipe.name}”",
        epochs=epochs_of(recipe),
    )


def network_estimator(
    recipe: Recipe, weights: str | Path, manifest: Manifest, *, split_by: SplitMode = "group"
) -> NetworkEstimator:
    """Return the network of a recipe, to be fitted to folds of a cohort."""
    model, _ = start(recipe, weights)
    images = load_images(
        manifest, recipe.input.preprocessing, recipe.task, masks=recipe.trains_on_places
    )
    return NetworkEstimator(Fitter(model, images, recipe), images, recipe, split_by=split_by)


def training_and_tuning(
    known: NDArray[np.int64],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    recipe: Recipe,
    *,
    seed: int,
    split_by: SplitMode,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of the images that may be learnt from train, and which tune: about a sixth.

    None tune where the tuning loss decides nothing.

    Raises
    ------
    InputError
        If of one class there are too few to train and to tune on.
    """
    if recipe.optimisation.schedule != "plateau":
        return known, known[:0]
    having = labels[known] > 0
    of_class = [known[having == each] for each in (False, True)]
    groups_of_class = [len(set(groups[each].tolist())) for each in of_class]
    by_group = split_by == "group"
    divided = groups_of_class if by_group else [len(each) for each in of_class]
    if min(divided) < 2:
        unit = "group" if by_group else "image"
        without, tumours = (counted(number, unit) for number in divided)
        raise InputError(
            f"The {len(known)} images to learn from are of {tumours} with a tumour and {without} "
            "without. Expected at least 2 of each, one of which is kept for tuning, as the recipe "
            "lowers its learning rate by the loss there. Add images, ask for fewer parts, or take "
            'a recipe with another schedule, such as "cosine".'
        )
    parts = max(2, min(6, *groups_of_class))
    inner = grouped_folds(labels[known], groups[known], folds=parts, seed=seed, mode=split_by)
    return known[inner != 0], known[inner == 0]
