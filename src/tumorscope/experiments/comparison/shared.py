"""What all systems of a comparison share, and what becomes of it for one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.versions import versions
from tumorscope.experiments.comparison.features import feature_classifier
from tumorscope.experiments.learner import Estimator, Learner, network_estimator
from tumorscope.networks.backbones import lookup as lookup_backbone
from tumorscope.networks.imagenet import IMAGENET, WeightsError
from tumorscope.networks.systems import System, recipe_for
from tumorscope.networks.weights import record_of, weights_of
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.parts import Augmentation
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.commands import command_line
from tumorscope.records.protocol import Cohort, Protocol, SplitMode, data_hash
from tumorscope.training.phases import epochs_of


@dataclass(frozen=True, slots=True)
class SharedProtocol:
    """What all rows of a comparison share.

    Attributes
    ----------
    recipe : Recipe
        Followed by all.
    given, data : str
        How the recipe and the cohort were named.
    folds, repeats : int
        Of each cross-validation.
    weights : str or Path
        As `tumorscope.experiments.comparison.compare.compare` takes them.
    folder : Path
        Of the comparison.
    ray : str or None
        Address of the cluster that fits folds.
    """

    recipe: Recipe
    given: str
    data: str
    folds: int
    repeats: int
    weights: str | Path
    folder: Path
    ray: str | None = None

    def folder_of(self, system: System) -> Path:
        """Return where a system is cross-validated."""
        return self.folder / "systems" / system.name

    def recipe_of(self, system: System) -> Recipe:
        """Return the recipe that a system is cross-validated by."""
        recipe = recipe_for(system, self.recipe, system.backbones[0])
        if system.classifier is None:
            return recipe
        # For the report: what follows no other part of the recipe should not say that it does.
        words = "Frozen features: of the recipe, how images are prepared and class weights count."
        return recipe.changed({"description": words, "augmentation": Augmentation().model_dump()})

    def weights_of(self, system: System) -> tuple[Weights, ...]:
        """Return what the starting weights of a system hold.

        Raises
        ------
        WeightsError
            If they are not there.
        """
        return tuple(record_of(name, weights_of(name, self.weights)) for name in system.backbones)

    def of(self, system: System, manifest: Manifest | None) -> Protocol:
        """Return what decides the scores of a system; no weights where they cannot be had."""
        try:
            weights = self.weights_of(system)
        except WeightsError:
            weights = ()
        recipe = self.recipe_of(system)
        masks = recipe.trains_on_places
        return Protocol(
            recipe=recipe,
            weights=weights,
            data=Cohort(sha256="") if manifest is None else Cohort.of(manifest, masks=masks),
            method=system.name,
            folds=self.folds,
            repeats=self.repeats,
            versions=versions(),
        )

    def learner(self, system: System) -> Learner:
        """Return what is cross-validated of a system.

        Raises
        ------
        WeightsError
            If its starting weights are not there.
        """
        recipe = self.recipe_of(system)

        def start(manifest: Manifest, split_by: SplitMode) -> Estimator:
            if system.classifier is not None:
                return feature_classifier(system, self.recipe, self.weights, manifest)
            weights = weights_of(system.backbones[0], self.weights)
            return network_estimator(recipe, weights, manifest, split_by=split_by)

        return Learner(
            name=system.name,
            weights=self.weights_of(system),
            title=f"{system.title}, by the recipe “{self.recipe.name}”",
            command=self.command(system, str(self.weights)),
            start=start,
            epochs=1 if system.classifier else epochs_of(recipe),
        )

    def command(self, system: System, weights: str = "") -> str:
        """Return what measures one system and adds it to the same table."""
        given = weights or ("" if str(self.weights) in ("imagenet", "none") else str(self.weights))
        return command_line(
            *("tumorscope", "compare", self.data, "--backbones", system.name),
            *("--recipe", self.given),
            *("--folds", self.folds, "--repeats", self.repeats),
            *(("--weights", given) if given else ()),
            *("-o", self.folder, "--resume"),
        )

    def without_weights(self, system: System) -> tuple[str, str]:
        """Return why a system has no starting weights, and the command that measures it."""
        unpublished = [name for name in system.backbones if name not in IMAGENET]
        if self.weights != "imagenet":
            return "Its weights are not among those given; run: ", self.command(system)
        if not unpublished:
            return "ImageNet weights were not available; run: ", self.command(system)
        titles = " and ".join(lookup_backbone(name).title for name in unpublished)
        files = " and ".join(f"{name}.weights.h5" for name in system.backbones)
        return (
            f"Keras publishes no ImageNet weights of {titles}; with {files} in a folder WEIGHTS "
            "run: ",
            self.command(system, "WEIGHTS"),
        )

    def to_json(self, manifest: Manifest | None, *, cost_only: bool) -> dict[str, object]:
        """Return what the table says of all rows."""
        shared: dict[str, object] = {
            "recipe": self.recipe.name,
            "folds": self.folds,
            "repeats": self.repeats,
            "cost_only": cost_only,
            "seed": self.recipe.seed,
        }
        if manifest is None:
            return shared
        return shared | {
            "images": len(manifest),
            "groups": len(set(manifest.groups.tolist())),
            "data_sha256": data_hash(manifest),
        }
