"""Splits and folds that never divide a group.

Groups are put in an order that depends on their names and the seed alone (SHA-256 of both), laid
end to end, and the line is cut where the requested fractions fall, at the nearest border between
two groups. So the result is the same on every machine, with every numpy, and for every order of
rows; and as each cut misses its place by at most half a group, no split misses its share of a
class by more than one group, where that share is larger than the class's largest group.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.cohort.copies import settle_copies
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import SPLITS
from tumorscope.cohort.tumour_type import strata_of
from tumorscope.common.classes import CLASSES
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.limits import check_whole

SCARCE = (0, 2, 1)
"""Which splits a stratum with too few groups for all reaches first: training, then testing."""

Mode = Literal["group", "random"]


def split(
    manifest: Manifest,
    *,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    mode: Mode = "group",
    classes: NDArray[np.int64] | None = None,
) -> Manifest:
    """Fill the column ``split``: training, tuning and (internal) testing, stratified by class.

    Every split gets its share of a class to within one group, and at least one group of it. Tumour
    types, where the manifest names them, are balanced in the same way; one with too few groups for
    all splits reaches training first, then testing (see
    `tumorscope.cohort.tumour_type.types_missing`).

    Parameters
    ----------
    manifest : Manifest
        The cohort; any split that it has already is replaced.
    fractions : tuple of float
        Shares of training, tuning and testing that sum to 1; 0 leaves a split empty.
    seed : int
        Another seed gives another split.
    mode : {"group", "random"}
        "random" ignores groups, as most published splits do: copies of one picture then land on
        both sides, and every result looks too good. For comparison only.
    classes : ndarray of int64, optional
        What to balance of the usable images, from 0 (no tumour); labels and types by default.

    Returns
    -------
    Manifest
        The same rows in the same order. Groups that share a picture are joined; see `joined`.

    Raises
    ------
    UsageError
        If the fractions or the seed are negative, or the fractions do not sum to 1.
    InputError
        If nothing is readable, or a class has fewer groups than there are splits to reach; or
        copies must be told apart by looking at images that cannot be read.

    Examples
    --------
    >>> from tumorscope import audit, write_phantom_cohort
    >>> write_phantom_cohort("scans", n=20, seed=1)
    >>> divided = split(audit("scans", probes=False).manifest, fractions=(0.6, 0.2, 0.2), seed=1)
    >>> [len(divided.of_split(name)) for name in ("training", "tuning", "testing")]
    [12, 4, 4]
    """
    _check_fractions(fractions)
    check_whole("seed", seed, at_least=0)  # it is hashed, so none is too large
    manifest = settle_copies(manifest) if mode == "group" else manifest
    usable = _usable(manifest)
    names = [row.group if mode == "group" else row.path for row in usable.rows]
    strata = strata_of(usable) if classes is None else classes
    chosen = iter(_splits(usable.labels, strata, names, fractions, seed))
    return manifest.having(
        replace(row, split=next(chosen) if row.usable else "") for row in manifest.rows
    )


def _splits(
    labels: NDArray[np.int64],
    strata: NDArray[np.int64],
    names: Sequence[str],
    fractions: Sequence[float],
    seed: int,
) -> list[str]:
    wanted = [name for name, share in zip(SPLITS, fractions, strict=True) if share > 0]
    _check_classes(labels, names, len(wanted), f"the splits {', '.join(wanted)}")
    parts = _part(strata, names, fractions, seed, first=SCARCE if strata.max() > 1 else None)
    return [SPLITS[part] for part in parts]


def grouped_folds(
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    folds: int,
    seed: int,
    mode: Mode = "group",
) -> NDArray[np.int64]:
    """Give every image the fold in which it is tested, stratified and by group.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
        Classes from 0, which is no tumour; others may be types. A type with fewer groups than
        there are folds lies in as many as it can.
    groups : array-like of str, shape (n,)
        Images of the same group share a fold.
    folds : int
        Number of folds, at least 2.
    seed : int
        Another seed gives other folds; use one per repeat.
    mode : {"group", "random"}
        "random" ignores groups (it leaks) and takes each image by its position.

    Returns
    -------
    ndarray of int64, shape (n,)
        Fold of each image, 0 to ``folds - 1``.

    Raises
    ------
    UsageError
        If there are fewer than 2 folds, or `labels` and `groups` differ in length.
    InputError
        If one of the labels, tumour and no tumour, has fewer groups than there are folds.

    Examples
    --------
    >>> grouped_folds([0, 0, 0, 1, 1, 1], ["a", "a", "b", "c", "d", "d"], folds=2, seed=0)
    array([0, 0, 1, 1, 0, 0])
    """
    truth = np.asarray(labels, dtype=np.int64)
    names = [str(name) for name in np.asarray(groups).tolist()]
    if truth.shape != (len(names),):
        raise UsageError(
            f"Received labels of shape {truth.shape} and {len(names)} groups; expected one label "
            "and one group per image."
        )
    if folds < 2:
        raise UsageError(f"Received {folds} folds; expected at least 2 (5 is usual).")
    if mode == "random":
        names = [str(position) for position in range(len(names))]
    _check_classes((truth > 0).astype(np.int64), names, folds, f"{folds} folds")
    return _part(truth, names, (1.0 / folds,) * folds, seed)


def _usable(manifest: Manifest) -> Manifest:
    usable = manifest.usable
    if not usable.rows:
        raise InputError(
            f"None of the {len(manifest)} images of the manifest can be read, so there is nothing "
            "to split. Expected readable images of both classes; see the flags in the manifest."
        )
    return usable


def _part(
    labels: NDArray[np.int64],
    names: Sequence[str],
    fractions: Sequence[float],
    seed: int,
    *,
    first: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Return the index into `fractions` of each image; images of one name stay together.

    `first` is the order in which parts get groups of a stratum that has too few for all.
    """
    first = range(len(fractions)) if first is None else first
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(name, []).append(index)
    order = sorted(members, key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())
    classes = max(2, int(labels.max()) + 1)
    size = {name: np.bincount(labels[members[name]], minlength=classes) for name in order}
    asked = np.outer(fractions, np.bincount(labels, minlength=classes))
    got = np.zeros_like(asked)
    result = np.empty(len(labels), dtype=np.int64)

    # Groups of several labels (conflicts, patients) go first, because those of one label can then
    # make up for what the former did to the balance of the classes.
    held = {name: tuple(np.flatnonzero(size[name]).tolist()) for name in order}
    kinds = sorted(set(held.values()), key=lambda columns: (len(columns) == 1, columns))
    for kind in kinds:
        columns, stratum = list(kind), [name for name in order if held[name] == kind]
        targets = asked[:, columns].sum(axis=1)
        missing = (got[:, columns].min(axis=1) == 0) & (targets > 0)
        if len(stratum) < missing.sum():
            needy = np.flatnonzero(missing).tolist()
            missing[sorted(needy, key=_turns(got, columns, first))[len(stratum) :]] = False
        ends = _cut(
            [int(size[name].sum()) for name in stratum],
            np.maximum(targets - got[:, columns].sum(axis=1), 0.0),
            missing,
        )
        start = 0
        for part, end in enumerate(ends):
            for name in stratum[start:end]:
                result[members[name]] = part
                got[part] += size[name]
            start = end
    return result


def _turns(
    got: NDArray[np.float64], columns: Sequence[int], first: Sequence[int]
) -> Callable[[int], tuple[bool, int]]:
    """Return the key by which parts queue for groups where a stratum is too small for all.

    A part that lacks a label altogether comes first: a type may be absent from it, a label not.
    """
    lacking = np.zeros(len(got), dtype=bool)
    if columns[0] == 0:
        lacking |= got[:, 0] == 0
    if columns[-1] > 0:
        lacking |= got[:, 1:].sum(axis=1) == 0
    return lambda part: (not lacking[part], first.index(part))


def _cut(sizes: Sequence[int], targets: NDArray[np.float64], needy: NDArray[np.bool_]) -> list[int]:
    """Cut a line of groups into consecutive parts of about the sizes in `targets`.

    Returns the end of each part as a number of groups. Every part that is `needy` gets at least
    one group, as long as there are any left.
    """
    count, parts = len(sizes), len(targets)
    borders = np.concatenate([[0], np.cumsum(sizes)])
    scale = borders[-1] / targets.sum() if targets.sum() > 0 else 0.0
    ends = [int(np.abs(borders - place).argmin()) for place in np.cumsum(targets) * scale]
    least = needy.astype(int)
    least[np.cumsum(least) > count] = 0
    for part in range(parts):
        ends[part] = max(ends[part], (ends[part - 1] if part else 0) + int(least[part]))
    ends[-1] = count
    for part in range(parts - 1, 0, -1):
        ends[part - 1] = min(ends[part - 1], ends[part] - int(least[part]))
    return ends


def _check_fractions(fractions: Sequence[float]) -> None:
    shares = ", ".join(f"{share:g}" for share in fractions)
    if len(fractions) != len(SPLITS) or not all(0 <= share <= 1 for share in fractions):
        raise UsageError(
            f"Received the fractions {shares}; expected three numbers from 0 to 1 for "
            f"{', '.join(SPLITS)}, such as 0.7,0.15,0.15."
        )
    if not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
        raise UsageError(
            f"Received the fractions {shares}, which sum to {sum(fractions):g}; expected a sum of "
            "1, such as 0.7,0.15,0.15."
        )


def _check_classes(
    labels: NDArray[np.int64], names: Sequence[str], least: int, purpose: str
) -> None:
    for label, words in enumerate(CLASSES):
        held = [name for name, value in zip(names, labels, strict=True) if value == label]
        groups = len(set(held))
        if groups < least:
            raise InputError(
                f"The class '{words}' has {len(held)} readable images in {groups} groups (copies "
                f"of one picture, or one patient, count once); expected at least {least} groups, "
                f"one for each of {purpose}. Add images of that class, or ask for fewer parts."
            )
