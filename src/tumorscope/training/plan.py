"""What a run will be trained on and by, known and checked before anything is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.arrays import labels_for
from tumorscope.cohort.facts import WITHOUT_SPLIT, split_counts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.sentences import on_masks, on_missing_types
from tumorscope.cohort.split import split
from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.progress import say
from tumorscope.common.versions import versions
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.networks.weights import noted, record_of
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import identity_in
from tumorscope.records.protocol import Cohort, Protocol, SplitMode
from tumorscope.records.reserve import must_resume, reserve
from tumorscope.records.resume import interrupted_protocol, protocol_of, relocated
from tumorscope.records.run_folder import Run

State = Literal["new", "interrupted", "finished"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a run is trained on and by.

    Attributes
    ----------
    manifest : Manifest
        With splits.
    labels : ndarray of int64, shape (n,)
        Of the usable images, for the recipe's task.
    protocol : Protocol
        The recipe, and everything else that decides the scores.
    weights : str or Path
        Starting weights as asked for.
    identity : str
        By which a checkpoint knows the run.
    passed_over : PassedOver
        What of the folder was not looked at.
    may_differ : collection of str
        What a run that is gone on with may have otherwise, because it follows from images and
        recipe and another version may have derived it in another way.
    """

    manifest: Manifest
    labels: NDArray[np.int64]
    protocol: Protocol
    weights: str | Path
    identity: str
    passed_over: PassedOver
    may_differ: Collection[str]

    @property
    def recipe(self) -> Recipe:
        """The recipe that is followed."""
        return self.protocol.recipe


def plan_run(data: Data, recipe: Recipe, weights: str | Path, split_by: SplitMode) -> Plan:
    """Audit and split a cohort as far as it is not yet, and note what decides the run.

    Raises
    ------
    InputError
        If the cohort or weights cannot be used, or the cohort does not name what the recipe's
        task is about.
    """
    manifest = prepare_manifest(data)
    passed_over = manifest.notes.passed_over
    labels = labels_for(recipe.task, manifest.usable, complete=True)
    has_split = any(row.split for row in manifest.usable.rows)
    if not has_split:
        fractions = recipe.data.fractions
        manifest = split(manifest, fractions=fractions, seed=recipe.seed, mode=split_by)
    protocol = Protocol(
        recipe=recipe,
        weights=(record_of(recipe.network.backbone, weights),),
        data=Cohort.of(manifest.usable, masks=recipe.trains_on_places),
        split=split_by,
        versions=versions(),
    )
    may_differ = {"recipe.data.fractions" if has_split else "data.splits"}
    if not isinstance(data, Manifest) and Path(data).is_dir():
        may_differ.add("data.groups")
    return Plan(
        manifest, labels, protocol, weights, protocol.model_dump_json(), passed_over, may_differ
    )


def check_splits(manifest: Manifest, recipe: Recipe) -> None:
    """Say what is in no split or lacks a type, and refuse a training part without a class.

    Raises
    ------
    InputError
        If the split "training" lacks a class of the recipe's task.
    """
    counts = split_counts(manifest.rows)
    if WITHOUT_SPLIT in counts:
        say(
            f"{counts[WITHOUT_SPLIT]} images lie in no split, where others do, and are used for "
            "nothing. Fill the column split for them, or run `tumorscope split`, to use them."
        )
    training = manifest.of_split("training")
    typed = recipe.task == "tumour-type"
    if typed and (words := on_missing_types(manifest)):
        say(words)
    taught = set(labels_for(recipe.task, training).tolist())
    if typed and (untaught := [kind for n, kind in enumerate(TYPE_CLASSES) if n not in taught]):
        raise InputError(
            f"The split training holds {len(training)} images, none of them of the class "
            f"{', '.join(untaught)}. Expected images of every class to train on. Correct the "
            "column split of the manifest, or run `tumorscope split`, which gives each type to "
            "training first."
        )
    if len(set(training.labels.tolist())) < 2:
        parts = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise InputError(
            f"The split training holds {len(training)} images, {int(training.labels.sum())} of "
            f"them with a tumour ({parts}). Expected images of both classes to train on. Correct "
            "the column split of the manifest, or run `tumorscope split`."
        )
    if recipe.trains_on_places:
        say(f"For training: {on_masks(training.rows)}")


def state_of(folder: Path, *, resume: bool) -> State:
    """Return what a folder holds of a run.

    Raises
    ------
    UsageError
        If it holds a run and `resume` is false.
    """
    if (folder / "run.json").exists():
        if not resume:
            raise UsageError(
                f"{folder} holds a finished run, which would be overwritten. Expected a new or "
                "empty folder. Choose another with -o, or delete it."
            )
        return "finished"
    if (folder / "checkpoint.bin").exists():
        must_resume(folder, "an interrupted run", resume=resume, to="go on with it")
        return "interrupted"
    return "new"


def check_finished(folder: Path, plan: Plan) -> Run:
    """Return the finished run in a folder.

    Raises
    ------
    InputError
        If it is not the one that is planned.
    """
    run = Run.open(folder)
    reserve(
        folder,
        plan.protocol,
        there="a finished run",
        kept=lambda: protocol_of(folder, run.record),
        resume=True,
        what=f"The run in {folder} belongs",
        passing=plan.may_differ,
    )
    return run


def gone_on_with(folder: Path, plan: Plan) -> Plan:
    """Return the plan by which an interrupted run was begun, with the images where they lie now.

    Raises
    ------
    InputError
        If it is not the one that is planned.
    """
    backbone, weights = plan.recipe.network.backbone, plan.weights
    kept = reserve(
        folder,
        plan.protocol,
        there="an interrupted run",
        kept=lambda: interrupted_protocol(
            folder, plan.protocol, weights=lambda: noted(backbone, weights).sentence
        ),
        resume=True,
        what=f"The run in {folder} belongs",
        passing=plan.may_differ,
    )
    manifest = relocated(Manifest.load(folder / "manifest.csv"), plan.manifest)
    return replace(
        plan,
        manifest=manifest,
        labels=labels_for(kept.recipe.task, manifest.usable),
        protocol=kept.model_copy(update={"versions": versions()}),
        identity=identity_in(folder / "checkpoint.bin"),
    )
