"""What is kept of one system: its cross-validation as it is, what it costs, and how long it took.

``cost.json`` and ``quality.json`` lie beside what ``crossval`` wrote; the metrics in the table are
those of its ``metrics.json``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import InputError
from tumorscope.common.files import write_json
from tumorscope.experiments.comparison.measure import Cost
from tumorscope.experiments.comparison.shared import SharedProtocol
from tumorscope.experiments.comparison.table import QUALITY
from tumorscope.experiments.crossval import crossval
from tumorscope.networks.imagenet import IMAGENET, WeightsError
from tumorscope.networks.systems import System
from tumorscope.networks.weights import noted, weights_of
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import read_protocol
from tumorscope.records.protocol import Protocol, changed_recipe
from tumorscope.records.reserve import refuse_changes
from tumorscope.statistics.estimate import estimate_of, wider


def check_kept(folder: Path, asked: Protocol, recipe: Recipe, *, weights: bool) -> None:
    """Refuse results of another recipe, cohort, protocol or, where `weights` says so, origin.

    Parameters
    ----------
    folder : Path
        Of the system.
    asked : Protocol
        What would be cross-validated now.
    recipe : Recipe
        Of the whole comparison, by which costs are measured.
    weights : bool
        Whether the system is to be measured now.

    Raises
    ------
    InputError
        If what is kept was made by anything else.
    """
    what = f"The results in {folder} belong"
    if (cost := _read(folder / "cost.json")) is not None:
        then = Recipe.from_toml(str(cost.get("recipe")), origin=str(folder / "cost.json"))
        refuse_changes(changed_recipe(then, recipe), what=what)
    finished = (folder / "quality.json").is_file()
    if not finished and not any((folder / "folds").glob("*.csv")):
        return
    passing = {"recipe.data.fractions"}
    # What is not finished, and cannot be for want of weights, is named in the table.
    if not weights or not (asked.weights or finished):
        passing.add("weights")
    if not asked.data.sha256:
        passing.add("data")
    refuse_changes(read_protocol(folder).changes(asked, passing=passing), what=what)


def cost_of(folder: Path, measure: Callable[[], Cost], recipe: Recipe) -> Mapping[str, Any]:
    """Return what a system costs, measured once."""
    kept = _read(folder / "cost.json")
    if kept is None:
        kept = {"recipe": recipe.to_toml(), "cost": measure().to_json()}
        write_json(folder / "cost.json", kept)
    cost: Mapping[str, Any] = kept["cost"]
    return cost


def quality_of(folder: Path) -> Mapping[str, Any] | None:
    """Return what a system reached, each metric with the wider interval; None if unfinished.

    Raises
    ------
    InputError
        If a file is damaged.
    """
    kept, measured = _read(folder / "quality.json"), _read(folder / "metrics.json")
    if kept is None or measured is None:
        return None
    of_groups = {name: estimate_of(found) for name, found in measured["by_group"].items()}
    metrics = {
        name: wider(estimate_of(measured["metrics"][name]), of_groups.get(name)).to_json()
        for name in QUALITY
    }
    return {**kept, "metrics": metrics}


def measure_quality(
    system: System, shared: SharedProtocol, manifest: Manifest, *, resume: bool
) -> None:
    """Cross-validate a system in its folder, and keep there what `quality_of` returns.

    Raises
    ------
    WeightsError
        If its starting weights cannot be had.
    DivergedError
        If training ends in numbers that are none.
    """
    folder = shared.folder_of(system)
    origins = []
    for name in system.backbones:
        if shared.weights == "imagenet" and name not in IMAGENET:
            raise WeightsError(f"Keras publishes no ImageNet weights of {name}.")
        origins.append(noted(name, weights_of(name, shared.weights)).sentence)
    # Several backbones have a folder of weights.
    alone = weights_of(system.backbones[0], shared.weights) if len(system.backbones) == 1 else ""
    began, before = time.perf_counter(), len(list((folder / "folds").glob("repeat-*.csv")))
    found = crossval(
        manifest,
        recipe=shared.recipe_of(system),
        folds=shared.folds,
        repeats=shared.repeats,
        weights=alone or shared.weights,
        output=folder,
        method=shared.learner(system),
        resume=resume,
        ray=shared.ray,
    )
    fitted = shared.folds * shared.repeats - before
    kept = {
        "data_sha256": shared.to_json(manifest, cost_only=False)["data_sha256"],
        "weights": "; ".join(origins),
        "seconds_per_fold": round((time.perf_counter() - began) / fitted, 2) if fitted else None,
        "metrics": {name: found.metrics.cautious(name).to_json() for name in QUALITY},
        "n": found.metrics.n,
        "n_positive": found.metrics.n_positive,
        "n_groups": found.metrics.n_groups,
    }
    write_json(folder / "quality.json", kept)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is damaged ({error}). Expected a file that tumorscope wrote. Delete it; "
            "--resume then makes it again."
        ) from error
    return document
