"""Several systems on one cohort: the same folds, recipe and report, and what each one costs."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.lying_there import refuse_others
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import output_folder, write_json
from tumorscope.common.limits import check_folds
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say, track
from tumorscope.common.versions import versions
from tumorscope.experiments.comparison.features import feature_classifier
from tumorscope.experiments.comparison.measure import measure
from tumorscope.experiments.comparison.table import QUALITY, Comparison, Row, write_comparison
from tumorscope.experiments.crossval import crossval
from tumorscope.experiments.learner import Estimator, Learner, network_estimator
from tumorscope.networks.backbones import build_backbone
from tumorscope.networks.backbones import lookup as lookup_backbone
from tumorscope.networks.backend import load_keras
from tumorscope.networks.systems import DEFAULT, System, lookup, recipe_for
from tumorscope.networks.weights import (
    IMAGENET,
    WeightsError,
    load_weights,
    record_of,
    weights_of,
)
from tumorscope.networks.weights_of_model_file import MRI
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.parts import Augmentation
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.commands import command_line
from tumorscope.records.evaluation_folder import folder_read, named
from tumorscope.records.fold_protocol import read_protocol
from tumorscope.records.protocol import Cohort, Protocol, SplitMode, changed_recipe, data_hash
from tumorscope.records.reserve import must_resume, refuse_changes
from tumorscope.training.fit import DivergedError, epochs_of


@dataclass(frozen=True, slots=True)
class _Protocol:
    """What all rows of a comparison share."""

    recipe: Recipe
    given: str
    """How the recipe was named."""
    folds: int
    repeats: int
    weights: str | Path
    data: str
    """How the cohort was named."""
    folder: Path

    def weights_of(self, system: System) -> tuple[Weights, ...]:
        """Return what the starting weights of a system hold."""
        return tuple(record_of(name, weights_of(name, self.weights)) for name in system.backbones)

    def of(self, system: System, manifest: Manifest | None) -> Protocol:
        """Return what decides the scores of a system; no weights where they cannot be had."""
        try:
            weights = self.weights_of(system)
        except WeightsError:
            weights = ()
        return Protocol(
            recipe=_recipe_of(system, self.recipe),
            weights=weights,
            data=Cohort(sha256="") if manifest is None else Cohort.of(manifest),
            method=system.name,
            folds=self.folds,
            repeats=self.repeats,
            versions=versions(),
        )


@one_writer
def compare(
    data: Data | None = None,
    *,
    backbones: Sequence[str] = DEFAULT,
    recipe: str | Path | Recipe = "paper",
    folds: int = 5,
    repeats: int = 3,
    weights: str | Path = "imagenet",
    output: str | Path,
    cost_only: bool = False,
    resume: bool = False,
) -> Comparison:
    """Compare systems by the same protocol.

    Each system is cross-validated as `tumorscope.experiments.crossval.crossval` does, in a folder
    of its own, and its cost is measured. Quality is measured only where a system starts from
    weights that were trained before: random ones say nothing of a network that is meant to be
    pretrained.

    Parameters
    ----------
    data : path or Manifest, optional
        The cohort; only costs need none.
    backbones : sequence of str
        Names of `tumorscope.networks.systems.names`.
    recipe : str, Path or Recipe
        Followed by all; see `recipe_for` for what each backbone changes.
    folds, repeats : int
        As for `crossval`.
    weights : {"imagenet", "none"} or path
        "none" measures costs only. A path is a file, where all systems have one and the same
        backbone, or a folder with a file for each, see `weights_of`.
    output : path
        Folder for comparison.csv, .json and .html, and for each system's own report.
    cost_only : bool
        Measure no quality.
    resume : bool
        Keep what is finished in `output`; systems there that are not named stay in the table.

    Returns
    -------
    Comparison
        The rows; `Comparison.missing` are those that could not be measured.

    Raises
    ------
    UsageError
        If a name, the weights or the folder do not fit, or `data` is lacking.
    InputError
        If the cohort cannot be used, or the folder belongs to another protocol or weights.
    """
    check_folds(folds, repeats)
    load_keras()
    cost_only = cost_only or weights == "none"
    systems = [lookup(name) for name in dict.fromkeys(backbones)]
    _check(systems, data, weights, cost_only=cost_only)
    given = recipe.name if isinstance(recipe, Recipe) else str(recipe)
    recipe = Recipe.of(recipe)
    protocol = _Protocol(
        recipe,
        given,
        folds,
        repeats,
        weights,
        data="DATA" if data is None else named(data),
        folder=Path(output),
    )
    refuse_others(Path(output), {}, reading=folder_read(data), report=False)
    folder = output_folder(Path(output))
    finished = sorted(path.parent.name for path in folder.glob("systems/*/cost.json"))
    if finished:
        must_resume(folder, "a comparison", resume=resume)
    whole = None if cost_only or data is None else prepare_manifest(data)
    manifest = whole.usable if whole else None
    others = [lookup(name) for name in finished if name not in {each.name for each in systems}]

    # All that is kept, before any of it is added to.
    for system in (*systems, *others):
        own = folder / "systems" / system.name
        _check_cost(own, recipe)
        _check_quality(
            own, protocol.of(system, manifest), weights=system in systems and not cost_only
        )
    costs = {
        system.name: _cost(folder / "systems" / system.name, system, recipe)
        for system in track([*systems, *others], "Measuring costs")
    }
    rows = []
    for number, system in enumerate([*systems, *others], start=1):
        own = folder / "systems" / system.name
        asked_for = number <= len(systems)
        quality, note, missing = _read(own / "quality.json"), "", False
        if quality is None and manifest is not None and asked_for:
            say(f"{system.title} ({number} of {len(systems)})")
            try:
                quality = _quality(own, system, protocol, manifest, resume=resume)
            except WeightsError as error:
                note, missing = _unavailable(system, protocol), True
                say(
                    f"{error.message} Or give --weights FOLDER with a file for each backbone; "
                    "--weights none measures costs only."
                )
            except DivergedError as error:
                note, missing = f"Training diverged: {error}", True
        elif quality is None:
            note = f"Not measured; run: {_command(system, protocol)}"
        rows.append(Row(system, costs[system.name], quality, note, missing))
        _forget()
    return write_comparison(
        rows,
        folder,
        protocol=_shared(protocol, manifest, cost_only),
        unreadable=whole.unreadable if whole else (),
        passed_over=whole.notes.passed_over if whole else None,
    )


def _check(
    systems: Sequence[System], data: Data | None, weights: str | Path, *, cost_only: bool
) -> None:
    if not systems:
        raise UsageError(
            "Received no systems to compare. Expected at least one; --help lists them."
        )
    if cost_only:
        return
    if data is None:
        raise UsageError(
            "Received no cohort. Expected a folder of class folders or a manifest to measure "
            "quality on; or add --cost-only to measure costs alone."
        )
    networks = {name for system in systems for name in system.backbones}
    if weights == MRI or (weights != "imagenet" and Path(weights).is_file() and len(networks) > 1):
        raise UsageError(
            f"Received the weights {weights} for {', '.join(sorted(networks))}. Expected imagenet, "
            "none, or a folder that holds a file for each, such as vgg16.weights.h5; a single file "
            "fits one backbone only."
        )
    if weights != "imagenet" and not Path(weights).exists():
        raise UsageError(
            f"There are no weights at {weights}. Expected imagenet, none, a file, or a folder that "
            "holds a file for each backbone."
        )


def _cost(folder: Path, system: System, recipe: Recipe) -> dict[str, object]:
    """Return what a system costs, measured once."""
    kept = _read(folder / "cost.json")
    if kept is not None:
        cost = kept["cost"]
        assert isinstance(cost, dict)
        return cost
    cost = measure(system, recipe).to_json()
    write_json(folder / "cost.json", {"recipe": recipe.to_toml(), "cost": cost})
    _forget()
    return cost


def _check_cost(folder: Path, recipe: Recipe) -> None:
    """Refuse costs of another recipe than is followed now."""
    path = folder / "cost.json"
    kept = _read(path)
    if kept is not None:
        then = Recipe.from_toml(str(kept.get("recipe")), origin=str(path))
        refuse_changes(changed_recipe(then, recipe), what=f"The results in {folder} belong")


def _check_quality(folder: Path, asked: Protocol, *, weights: bool) -> None:
    """Refuse figures of another recipe, cohort, protocol or, where `weights` says so, origin."""
    if not (folder / "quality.json").is_file() and not any((folder / "folds").glob("*.csv")):
        return
    passing = {"recipe.data.fractions"}
    # What is not finished, and cannot be for want of weights, is told of in the table.
    if not weights or not (asked.weights or (folder / "quality.json").is_file()):
        passing.add("weights")
    if not asked.data.sha256:
        passing.add("data")
    changes = read_protocol(folder).changes(asked, passing=passing)
    refuse_changes(changes, what=f"The results in {folder} belong")


def _recipe_of(system: System, shared: Recipe) -> Recipe:
    """Return the recipe that a system is cross-validated by."""
    recipe = recipe_for(system, shared, system.backbones[0])
    if system.classifier is None:
        return recipe
    # For the report: what follows no other part of the recipe should not say that it does.
    words = "Frozen features: of the recipe, how images are prepared and class weights count."
    return recipe.changed({"description": words, "augmentation": Augmentation().model_dump()})


def _quality(
    folder: Path, system: System, protocol: _Protocol, manifest: Manifest, *, resume: bool
) -> dict[str, object]:
    """Cross-validate a system and keep the result."""
    origins = []
    for name in system.backbones:
        if protocol.weights == "imagenet" and name not in IMAGENET:
            raise WeightsError(f"Keras publishes no ImageNet weights of {name}.")
        # Once before anything is trained: a file that is torn or missing must not stop the others.
        backbone = build_backbone(name, lookup_backbone(name).smallest)
        weights = weights_of(name, protocol.weights)
        origins.append(load_weights(backbone, name=name, weights=weights))
    first = system.backbones[0]
    recipe = _recipe_of(system, protocol.recipe)
    weights = (
        weights_of(first, protocol.weights) if len(system.backbones) == 1 else protocol.weights
    )
    began, before = time.perf_counter(), len(list((folder / "folds").glob("repeat-*.csv")))
    result = crossval(
        manifest,
        recipe=recipe,
        folds=protocol.folds,
        repeats=protocol.repeats,
        weights=weights,
        output=folder,
        method=_learner(system, protocol, weights),
        resume=resume,
    )
    fitted = protocol.folds * protocol.repeats - before
    document: dict[str, object] = {
        "data_sha256": data_hash(manifest),
        "weights": "; ".join(origins),
        "seconds_per_fold": round((time.perf_counter() - began) / fitted, 2) if fitted else None,
        "metrics": {name: result.metrics.metrics[name].to_json() for name in QUALITY},
        "n": result.metrics.n,
        "n_positive": result.metrics.n_positive,
        "n_groups": result.metrics.n_groups,
    }
    write_json(folder / "quality.json", document)
    return document


def _learner(system: System, protocol: _Protocol, weights: str | Path) -> Learner:
    """Return what is cross-validated of a system; several backbones have a folder of weights."""
    recipe = _recipe_of(system, protocol.recipe)

    def start(manifest: Manifest, split_by: SplitMode) -> Estimator:
        if system.classifier is None:
            return network_estimator(recipe, weights, manifest, split_by=split_by)
        return feature_classifier(system, protocol.recipe, weights, manifest)

    return Learner(
        name=system.name,
        # With several backbones the weights are a folder, whose path says nothing of its files.
        weights=protocol.weights_of(system),
        title=f"{system.title}, by the recipe “{protocol.recipe.name}”",
        command=_command(system, protocol, str(protocol.weights)),
        start=start,
        epochs=1 if system.classifier else epochs_of(recipe),
    )


def _command(system: System, protocol: _Protocol, weights: str = "") -> str:
    given = weights or (
        "" if str(protocol.weights) in ("imagenet", "none") else str(protocol.weights)
    )
    return command_line(
        *("tumorscope", "compare", protocol.data, "--backbones", system.name),
        *("--recipe", protocol.given),
        *("--folds", protocol.folds, "--repeats", protocol.repeats),
        *(("--weights", given) if given else ()),
        *("-o", protocol.folder, "--resume"),
    )


def _unavailable(system: System, protocol: _Protocol) -> str:
    unpublished = [name for name in system.backbones if name not in IMAGENET]
    if protocol.weights != "imagenet":
        return f"Its weights are not among those given; run: {_command(system, protocol)}"
    if not unpublished:
        return f"ImageNet weights were not available; run: {_command(system, protocol)}"
    titles = " and ".join(lookup_backbone(name).title for name in unpublished)
    files = " and ".join(f"{name}.weights.h5" for name in system.backbones)
    return (
        f"Keras publishes no ImageNet weights of {titles}; with {files} in a folder WEIGHTS run: "
        f"{_command(system, protocol, 'WEIGHTS')}"
    )


def _shared(protocol: _Protocol, manifest: Manifest | None, cost_only: bool) -> dict[str, object]:
    shared: dict[str, object] = {
        "recipe": protocol.recipe.name,
        "folds": protocol.folds,
        "repeats": protocol.repeats,
        "cost_only": cost_only,
        "seed": protocol.recipe.seed,
    }
    if manifest is not None:
        shared |= {
            "images": len(manifest),
            "groups": len(set(manifest.groups.tolist())),
            "data_sha256": data_hash(manifest),
        }
    return shared


def _read(path: Path) -> dict[str, object] | None:
    if not path.is_file():
        return None
    try:
        document: dict[str, object] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is damaged ({error}). Expected a file that tumorscope wrote. Delete it; "
            "--resume then makes it again."
        ) from error
    return document


def _forget() -> None:
    """Give back the memory of networks that are done with."""
    import keras

    keras.utils.clear_session()
    gc.collect()
