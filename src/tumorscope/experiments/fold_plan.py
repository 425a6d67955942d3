"""Which images are scored in which fold, and which may be learnt from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.errors import InputError
from tumorscope.common.words import counted
from tumorscope.experiments.sources import EACH, refusal, sources_named
from tumorscope.records.protocol import SplitMode

NONE = -1
"""In the place of a fold: the image is not scored."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One fold of one repeat.

    Attributes
    ----------
    repeat, number : int
        From 0.
    known, tested : ndarray of int64
        Positions in the cohort of the images that may be learnt from, and of those that are scored.
    seed : int
        Of what is fitted to it.
    """

    repeat: int
    number: int
    known: NDArray[np.int64]
    tested: NDArray[np.int64]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class FoldPlan:
    """Which images are scored when, and by what.

    Attributes
    ----------
    manifest : Manifest
        The usable images.
    labels : ndarray of int64, shape (n,)
        From 0.
    held_out : ndarray of int64, shape (n, repeats)
        Fold in which each image is scored; `NONE` for none.
    seed : int
        Of the first fold; the others follow from it.
    barred : ndarray of bool, shape (n,)
        Never learnt from.
    by_source : bool
        Images elsewhere that share a group with those scored are not learnt from.
    score_columns : mapping of str to int
        Column of scores.csv → position of its class; one column where a score is one number.
    least : int
        Groups with a tumour, and without one, that a fold must leave to learn from: 2 where a part
        of them is kept for tuning.
    by_image : bool
        Each image counts as a group of its own, as a random split takes them.
    """

    manifest: Manifest
    labels: NDArray[np.int64]
    held_out: NDArray[np.int64]
    seed: int
    barred: NDArray[np.bool_]
    by_source: bool = False
    score_columns: Mapping[str, int] = field(default_factory=lambda: {"score": 0})
    least: int = 1
    by_image: bool = False

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether each image is scored at all, bool (n,)."""
        return np.asarray(self.held_out[:, 0] != NONE)

    @property
    def scored_rows(self) -> list[Row]:
        """The rows of the images that are scored."""
        return [self.manifest.rows[index] for index in np.flatnonzero(self.scored)]

    @property
    def folds(self) -> list[Fold]:
        """Every fold, repeat by repeat."""
        return [
            self._fold(repeat, number)
            for repeat in range(self.held_out.shape[1])
            for number in range(int(self.held_out[:, repeat].max()) + 1)
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of scores.csv."""
        return ("path", "label", "repeat", "fold", *self.score_columns)

    def names(self, fold: Fold) -> list[tuple[str, str]]:
        """Return path and label of each image that a fold scores."""
        rows = self.manifest.rows
        return [(rows[index].path, str(self.labels[index])) for index in fold.tested]

    def _fold(self, repeat: int, number: int) -> Fold:
        groups = self.manifest.groups
        tested = self.held_out[:, repeat] == number
        related = np.isin(groups, groups[tested]) if self.by_source else tested
        return Fold(
            repeat,
            number,
            known=np.flatnonzero(~tested & ~related & ~self.barred),
            tested=np.flatnonzero(tested),
            seed=self.seed + 1000 * repeat + number,
        )

    def check(self, fold: Fold) -> None:
        """Make sure that a fold leaves something to learn from.

        Raises
        ------
        InputError
            If it leaves fewer than `least` groups with a tumour, or without one.
        """
        having = self.labels[fold.known] > 0  # of tumour types as well
        groups = np.asarray(fold.known) if self.by_image else self.manifest.groups[fold.known]
        unit = "image" if self.by_image else "group"
        tumours, others = (len(set(groups[having == each].tolist())) for each in (True, False))
        if min(tumours, others) >= self.least:
            return
        sources = {self.manifest.rows[index].source for index in fold.tested}
        raise InputError(
            f"Where {len(fold.tested)} images of {', '.join(sorted(sources))} are held out, "
            f"{len(fold.known)} are left to train on, in {counted(tumours, unit)} with a tumour "
            f"and {counted(others, unit)} without. Expected at least {self.least} of each"
            + (", one of which is kept for tuning" if self.least > 1 else "")
            + ". Hold out fewer sources, add images, or ask for more folds."
        )


def repeated_folds(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    *,
    seed: int,
    folds: int,
    repeats: int,
    split_by: SplitMode,
) -> NDArray[np.int64]:
    """Return in which fold each image is scored, int64 (n, repeats).

    Examples
    --------
    >>> labels, groups = np.array([0, 0, 0, 1, 1, 1]), np.array(list("aabccd"))
    >>> found = repeated_folds(labels, groups, seed=0, folds=2, repeats=2, split_by="group")
    >>> found.shape, bool((found[0] == found[1]).all())  # the first two are of one group
    ((6, 2), True)
    """
    return np.stack(
        [
            grouped_folds(labels, groups, folds=folds, seed=seed + repeat, mode=split_by)
            for repeat in range(repeats)
        ],
        axis=1,
    )


def sources_of(hold_out: Sequence[str | Sequence[str]], manifest: Manifest) -> list[list[str]]:
    """Return the sources that each fold leaves out.

    Parameters
    ----------
    hold_out : sequence of str or sequence of str
        As `tumorscope.experiments.crossval.crossval` takes it.
    manifest : Manifest
        The cohort.

    Raises
    ------
    UsageError
        If a source is not in the cohort, or is named twice.
    """
    known = sorted({row.source for row in manifest.rows})
    named = [
        sources_named(part, known) if isinstance(part, str) else list(part) for part in hold_out
    ]
    if named == [[EACH]]:
        return [[source] for source in known]
    refused = refusal([name for names in named for name in names], known)
    if refused is not None:
        raise refused
    return named


def source_folds(hold_out: Sequence[Sequence[str]], manifest: Manifest) -> NDArray[np.int64]:
    """Return which fold leaves the source of each image out, int64 (n, 1); `NONE` for none."""
    sources = np.array([row.source for row in manifest.rows])
    held_out = np.full((len(manifest), 1), NONE, dtype=np.int64)
    for fold, names in enumerate(hold_out):
        held_out[np.isin(sources, list(names)), 0] = fold
    return held_out
