"""The protocols of finished and interrupted runs, also of those that older versions wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.errors import InputError
from tumorscope.networks.weights import canonical
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.checkpoint import identity_in
from tumorscope.records.protocol import (
    Cohort,
    Protocol,
    data_hash,
    parse_protocol,
)
from tumorscope.records.run_record import RunRecord


def protocol_of(folder: Path, record: RunRecord) -> Protocol:
    """Return what decides the scores of a finished run.

    Parameters
    ----------
    folder : Path
        Of the run.
    record : RunRecord
        What is, or will be, in its run.json. Where an older version wrote it, the recipe and the
        manifest beside it say the rest.

    Raises
    ------
    InputError
        If they are damaged.
    """
    path = folder / "run.json"
    if record.protocol:
        return parse_protocol(json.dumps(record.protocol), origin=path)
    recipe = Recipe.load(folder / "recipe.toml")
    manifest = Manifest.load(folder / "manifest.csv")
    usable = manifest.usable
    # Older versions took groups that divide copies as they were.
    if not manifest.joined and record.data_sha256 != data_hash(usable):
        raise InputError(
            f"{folder / 'manifest.csv'} is not the one that this run was trained on: {path} names "
            "other images, labels, groups or splits. Expected the folder as it was written. "
            "Put the manifest back, or train again into another folder."
        )
    return Protocol(
        recipe=recipe,
        weights=(canonical(record.origin, recipe.network.backbone),),
        data=Cohort.of(usable),
        split="random" if record.split == "random" else "group",
    )


def interrupted_protocol(folder: Path, asked: Protocol, *, weights: Callable[[], str]) -> Protocol:
    """Return what decides an interrupted run.

    Parameters
    ----------
    folder : Path
        Holds checkpoint.bin.
    asked : Protocol
        What is asked for now.
    weights : callable
        Returns the sentence on the starting weights that are asked for.

    Raises
    ------
    InputError
        If it cannot be read, or the manifest beside the checkpoint is not that of the run.
    """
    path = folder / "checkpoint.bin"
    identity = identity_in(path)
    manifest = Manifest.load(folder / "manifest.csv").usable
    if not identity.startswith("{"):
        return _older(folder, manifest, identity, asked, weights())
    kept = parse_protocol(identity, origin=path)
    if kept.data.sha256 != data_hash(manifest):
        raise InputError(
            f"{folder / 'manifest.csv'} was changed since the run in {folder} was begun. Expected "
            "it as it was written. Put it back, or train again into another folder."
        )
    return kept


def _older(
    folder: Path, manifest: Manifest, identity: str, asked: Protocol, weights: str
) -> Protocol:
    """Return the same of a checkpoint that holds a hash of it, which must fit what lies there."""
    text = (folder / "recipe.toml").read_text("utf-8")
    words = "\n".join((text, data_hash(manifest), weights))
    if hashlib.sha256(words.encode()).hexdigest() != identity:
        raise InputError(
            f"The interrupted run in {folder} was begun with another recipe or cohort than lie "
            f"there now, or from other starting weights than {weights}. Expected the same as when "
            "it was begun. Give them again, or train again into another folder."
        )
    return Protocol(
        recipe=Recipe.from_toml(text, origin=str(folder / "recipe.toml")),
        weights=asked.weights,
        data=Cohort.of(manifest),
        # The hash does not say; a split that divides groups was random.
        split="random" if manifest.divided_groups() else asked.split,
    )


def relocated(kept: Manifest, given: Manifest) -> Manifest:
    """Return a manifest with its files where another one of the same images has them."""
    places: dict[str, list[Row]] = {}
    for row in given.usable.rows:
        places.setdefault(row.sha256, []).append(row)
    rows = [
        _placed(row, given, places[row.sha256].pop(0)) if row.usable else row for row in kept.rows
    ]
    return replace(kept, rows=tuple(rows), joined=given.joined)


def _placed(row: Row, given: Manifest, there: Row) -> Row:
    mask = given.mask_file(there)
    return replace(
        row,
        path=str(given.file(there).absolute()),
        mask="" if mask is None else str(mask.absolute()),
    )
