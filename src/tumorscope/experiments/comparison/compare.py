"""Several systems on one cohort: the same folds, recipe and report, and what each one costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.overwriting import refuse_others
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import output_folder
from tumorscope.common.limits import check_folds
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say, track
from tumorscope.experiments.comparison.measure import measure
from tumorscope.experiments.comparison.page import write_comparison
from tumorscope.experiments.comparison.shared import SharedProtocol
from tumorscope.experiments.comparison.system_folder import (
    check_kept,
    cost_of,
    measure_quality,
    quality_of,
)
from tumorscope.experiments.comparison.table import Comparison, Row
from tumorscope.networks.backend import load_keras
from tumorscope.networks.imagenet import WeightsError
from tumorscope.networks.systems import DEFAULT, System, lookup
from tumorscope.networks.weights_of_model_file import MRI
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.evaluation_folder import folder_read, named
from tumorscope.records.fold_protocol import read_protocol
from tumorscope.records.reserve import must_resume
from tumorscope.training.trainer import DivergedError


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
    ray: str | None = None,
) -> Comparison:
    """Compare systems by the same protocol.

    Each system is cross-validated as `tumorscope.experiments.crossval.crossval` does, in a folder
    of its own, and its cost is measured. Quality is measured only where a system starts from
    weights that were trained before: random ones say nothing of a network meant to have them.

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
    resume, ray
        As for `crossval`; systems in `output` that are not named stay in the table.

    Raises
    ------
    UsageError
        If a name, the weights or the folder do not fit, or `data` is lacking.
    InputError
        If the cohort or recipe cannot be used, or the folder belongs to another protocol.
    """
    check_folds(folds, repeats)
    load_keras()
    shared = SharedProtocol(
        Recipe.of(recipe),
        given=recipe.name if isinstance(recipe, Recipe) else str(recipe),
        data="DATA" if data is None else named(data),
        folds=folds,
        repeats=repeats,
        weights=weights,
        folder=Path(output),
        ray=ray,
    )
    systems = [lookup(name) for name in dict.fromkeys(backbones)]
    return _compared(systems, shared, data, cost_only=cost_only or weights == "none", resume=resume)


def _compared(
    systems: Sequence[System],
    shared: SharedProtocol,
    data: Data | None,
    *,
    cost_only: bool,
    resume: bool,
) -> Comparison:
    _check_task(shared.recipe)
    _check(systems, data, shared.weights, cost_only=cost_only)
    refuse_others(shared.folder, {}, reading=folder_read(data), report=False)
    folder = output_folder(shared.folder)
    finished = sorted(path.parent.name for path in folder.glob("systems/*/cost.json"))
    if finished:
        must_resume(folder, "a comparison", resume=resume)
    whole = None if cost_only or data is None else prepare_manifest(data)
    manifest = whole.usable if whole else None
    others = [system for system in map(lookup, finished) if system not in systems]
    for system in (*systems, *others):  # all that is kept, before any of it is added to
        check_kept(
            shared.folder_of(system),
            shared.of(system, manifest),
            shared.recipe,
            weights=system in systems and not cost_only,
        )
    costs = [_cost(system, shared) for system in track([*systems, *others], "Measuring costs")]
    rows = []
    for number, (system, cost) in enumerate(zip([*systems, *others], costs, strict=True)):
        if manifest is not None and number < len(systems):
            place = f"{number + 1} of {len(systems)}"
            rows.append(_measured(system, shared, cost, manifest, place=place, resume=resume))
            _forget()
        else:
            rows.append(_as_kept(system, shared, cost))
    return write_comparison(
        rows,
        folder,
        protocol=shared.to_json(manifest, cost_only=cost_only),
        unreadable=whole.unreadable if whole else (),
        passed_over=whole.notes.passed_over if whole else None,
    )


def _check_task(recipe: Recipe) -> None:
    if recipe.task != "tumour":
        raise InputError(
            f'Received the recipe {recipe.name} of the task "{recipe.task}". Expected one of the '
            'task "tumour": systems are compared as detectors. Compare backbones for that task '
            "by running `tumorscope crossval` with a recipe for each."
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


def _cost(system: System, shared: SharedProtocol) -> Mapping[str, Any]:
    cost = cost_of(shared.folder_of(system), lambda: measure(system, shared.recipe), shared.recipe)
    _forget()
    return cost


def _as_kept(system: System, shared: SharedProtocol, cost: Mapping[str, Any]) -> Row:
    quality = quality_of(shared.folder_of(system))
    if quality is not None:
        return Row(system, cost, quality, read_protocol(shared.folder_of(system)).weights)
    return Row(system, cost, None, why="Not measured; run: ", command=shared.command(system))


def _measured(
    system: System,
    shared: SharedProtocol,
    cost: Mapping[str, Any],
    manifest: Manifest,
    *,
    place: str,
    resume: bool,
) -> Row:
    """Return the row of a system that was asked for; what it lacks must not stop the others."""
    try:
        if quality_of(shared.folder_of(system)) is None:
            say(f"{system.title} ({place})")
            measure_quality(system, shared, manifest, resume=resume)
    except WeightsError as error:
        say(
            f"{error.message} Or give --weights FOLDER with a file for each backbone; "
            "--weights none measures costs only."
        )
        why, command = shared.without_weights(system)
        return Row(system, cost, None, why=why, command=command, missing=True)
    except DivergedError as error:
        return Row(system, cost, None, why=f"Training diverged: {error}", missing=True)
    return _as_kept(system, shared, cost)


def _forget() -> None:
    """Give back the memory of networks that are done with."""
    import keras

    keras.utils.clear_session()  # which collects garbage too
