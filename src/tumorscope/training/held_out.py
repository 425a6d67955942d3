"""Scores of images that a network was not fitted on: what chooses calibration and thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.copies import settle_copies
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.sentences import on_joins
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.words import counted
from tumorscope.records.fold_protocol import read_protocol
from tumorscope.records.protocol import (
    Cohort,
    Protocol,
    data_hash,
    difference_text,
    mention_versions,
)
from tumorscope.records.resume import protocol_of
from tumorscope.records.run_record import RunRecord
from tumorscope.records.scores import read_records, scores_in, scores_of
from tumorscope.statistics.platt import logit

MEASURING_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Scores of images that the network was not fitted on.

    Attributes
    ----------
    labels : ndarray of int64, shape (n,)
    logits : ndarray of float64, shape (n,) or (n, repeats)
    folds : ndarray of int64, shape (n,), or None
        To measure decisions on; None where a class has too few groups to divide.
    origin : str
        Where the scores come from, in words.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.float64]
    folds: NDArray[np.int64] | None
    origin: str


def tuning_scores(folder: Path, manifest: Manifest) -> HeldOut:
    """Return the scores of a run's tuning images, which are few.

    Parameters
    ----------
    folder : Path
        Of the run.
    manifest : Manifest
        Its usable images.
    """
    rows = manifest.of_split("tuning")
    values = scores_of(folder / "scores.csv", [row.path for row in rows.rows])
    folds = measuring_folds(rows.labels, rows.groups)
    return HeldOut(rows.labels, logit(values), folds, "the run's tuning images")


def crossval_scores(crossval: Path, folder: Path, manifest: Manifest, record: RunRecord) -> HeldOut:
    """Return out-of-fold scores of the images that the run in `folder` will not be tested on.

    Parameters
    ----------
    crossval : Path
        Folder of a cross-validation of the run's recipe on its images.
    folder : Path
        Of the run.
    manifest : Manifest
        Its usable images.
    record : RunRecord
        What is, or will be, in its run.json.

    Raises
    ------
    InputError
        If the scores are damaged, not whole, of other images or of another network.
    HonestyError
        If their folds separate copies of one picture.
    """
    records = read_records(crossval / "scores.csv", ("path", "label", "repeat", "score"))
    theirs = settle_copies(Manifest.load(crossval / "manifest.csv")).usable
    if theirs.joined:
        raise HonestyError(
            f"The folds in {crossval} were made from groups that separate copies of one picture: "
            f"{on_joins(theirs.joined)} Expected scores of models that saw no copy, because "
            "thresholds chosen on others promise too much. Run `tumorscope crossval` again."
        )
    _check_protocol(crossval, theirs, folder, manifest, protocol_of(folder, record))
    values = _values(crossval, records, theirs, folder, manifest)
    left_out = len(theirs) < len(manifest)  # whole sources: the others were not scored
    # What will be tested on must not choose thresholds.
    tested = {row.sha256 for row in manifest.of_split("testing").rows}
    kept = np.array([row.sha256 not in tested for row in theirs.rows])
    theirs = theirs.having(row for row in theirs.rows if row.sha256 not in tested)
    repeats = counted(values.shape[1], "repeat")
    of_folds = f"out-of-fold scores of a cross-validation ({repeats})"
    origin = origin_of_left_out(theirs) if left_out else of_folds
    folds = measuring_folds(theirs.labels, theirs.groups)
    return HeldOut(theirs.labels, logit(values[kept]), folds, origin)


def origin_of_left_out(scored: Manifest) -> str:
    """Return in words where the scores of these images come from, with sources left out."""
    counts = sorted(Counter(row.source for row in scored.rows).items())
    sources = ", ".join(f"{count} of {name}" for name, count in counts)
    return f"scores of images whose sources were left out of training ({sources})"


def _values(
    crossval: Path,
    records: Sequence[dict[str, str]],
    theirs: Manifest,
    folder: Path,
    manifest: Manifest,
) -> NDArray[np.float64]:
    """Return the scores, float64 (n, repeats), in the order of `theirs`."""
    scored = crossval / "scores.csv"
    place = {row.path: index for index, row in enumerate(theirs.rows)}
    if (
        not _labelled(theirs) <= _labelled(manifest)
        or not {each["path"] for each in records} == place.keys()
    ):
        raise InputError(
            f"The scores in {crossval} are of other images than those of the run {folder}. "
            "Expected a cross-validation of the same images. Run `tumorscope crossval` on "
            f"{folder / 'manifest.csv'}."
        )
    turns = _repeats(scored, records)
    values = np.full((len(place), 1 + max(turns)), np.nan)
    for each, turn, score in zip(records, turns, scores_in(scored, records)[:, 0], strict=True):
        values[place[each["path"]], turn] = score
    if np.isnan(values).any():
        raise InputError(
            f"The scores in {crossval} are not whole. Expected each image once in every repeat. "
            "Finish the cross-validation with --resume."
        )
    return values


def _repeats(scored: Path, records: Sequence[dict[str, str]]) -> list[int]:
    turns = [int(each["repeat"]) if each["repeat"].isdecimal() else -1 for each in records]
    if min(turns) < 0 or max(turns) >= len(records):
        raise InputError(
            f"{scored} holds repeats that are no numbers from 0. Expected what `tumorscope "
            "crossval` wrote. Run it again."
        )
    return turns


def _check_protocol(
    crossval: Path, scored: Manifest, folder: Path, manifest: Manifest, run: Protocol
) -> None:
    """Refuse scores that promise too much, or that come from another network than the run's."""
    theirs = read_protocol(crossval)
    if theirs.split == "random":
        raise HonestyError(
            f"The scores in {crossval} come from a random split, which divides copies of one "
            "picture. Expected a split by group, because thresholds chosen on such scores promise "
            "too much. Run `tumorscope crossval` again without --split random."
        )
    theirs = theirs.model_copy(update={"data": _told_apart(theirs.data, manifest, scored)})
    passing = {"folds", "repeats", "hold_out", "split", "recipe.data.fractions"}
    if not theirs.hold_out:
        passing.add("data.splits")  # which it does not look at
    names = ("in the run", "in the cross-validation")
    changes = run.changes(theirs, passing=passing, names=names)
    if changes:
        raise InputError(
            f"The scores in {crossval} come from another network than the run {folder}. "
            f"{difference_text(changes)} Expected a cross-validation with the same recipe, seed, "
            "starting weights and images, because calibration and thresholds of one network do not "
            f"fit another. Run `tumorscope crossval {folder / 'manifest.csv'} --recipe "
            f"{folder / 'recipe.toml'}` with the --weights of the run."
        )
    mention_versions(theirs, run)


def _labelled(manifest: Manifest) -> set[tuple[str, int]]:
    return {(row.sha256, row.label) for row in manifest.rows}


def _told_apart(data: Cohort, *known: Manifest) -> Cohort:
    """Return what a cohort of an older version holds, where its one hash is that of a known one."""
    if data.content:
        return data
    for rows in known:
        unsplit = rows.having(replace(row, split="") for row in rows.rows)
        for each in (rows, unsplit):
            if data_hash(each) == data.sha256:
                return Cohort.of(each)
    return data


def measuring_folds(
    labels: NDArray[np.int64], groups: NDArray[np.str_]
) -> NDArray[np.int64] | None:
    """Return folds to measure decisions on; none where a class has too few groups to divide.

    Examples
    --------
    >>> labels = np.array([0, 1] * 6)
    >>> measuring_folds(labels, np.arange(12).astype(str)) is None
    False
    >>> measuring_folds(labels, np.array(["one", "two"] * 6)) is None
    True
    """
    most = min(len(set(groups[labels == label].tolist())) for label in (0, 1))
    if most < MEASURING_FOLDS:
        return None
    return grouped_folds(labels, groups, folds=MEASURING_FOLDS, seed=0)
