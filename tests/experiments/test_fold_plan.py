"""Plans of folds: nothing that is scored was learnt from, nor anything of its group."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.errors import InputError, UsageError
from tumorscope.experiments.fold_plan import (
    NONE,
    FoldPlan,
    repeated_folds,
    source_folds,
    sources_of,
)


def _manifest(groups: list[int], sources: str) -> Manifest:
    rows = [
        Row(
            path=f"{index}.png",
            sha256=f"{index:064x}",
            label=index % 2,
            group=f"g{group}",
            source=sources[index % len(sources)],
        )
        for index, group in enumerate(groups)
    ]
    return Manifest(tuple(rows), Path())


def _plan(manifest: Manifest, held_out: NDArray[np.int64], **changes: Any) -> FoldPlan:
    nothing = np.zeros(len(manifest), dtype=bool)
    plan = FoldPlan(manifest, manifest.labels, held_out, seed=3, barred=nothing)
    return replace(plan, **changes)


@given(st.lists(st.integers(0, 12), min_size=24, max_size=40), st.integers(0, 5))
def test_what_is_scored_was_never_learnt_from(numbers: list[int], seed: int) -> None:
    # A group has one label here, so that both classes have groups enough.
    groups = [2 * number + index % 2 for index, number in enumerate(numbers)]
    groups[:8] = range(100, 108)
    manifest = _manifest(groups, "ab")
    held_out = repeated_folds(
        manifest.labels, manifest.groups, seed=seed, folds=3, repeats=2, split_by="group"
    )
    plan = _plan(manifest, held_out)
    assert [(fold.repeat, fold.number) for fold in plan.folds] == [
        (repeat, number) for repeat in range(2) for number in range(3)
    ]
    for fold in plan.folds:
        assert not set(manifest.groups[fold.known]) & set(manifest.groups[fold.tested])
        assert sorted([*fold.known, *fold.tested]) == list(range(len(manifest)))
    assert len({fold.seed for fold in plan.folds}) == 6


def test_sources_take_their_groups_along_and_the_barred_never_train() -> None:
    manifest = _manifest([0, 0, 2, 3, 4, 5, 6, 7, 8], "abc")
    barred = np.arange(9) == 7
    held_out = source_folds([["a"], ["c"]], manifest)
    plan = _plan(manifest, held_out, by_source=True, barred=barred)
    first, second = plan.folds
    assert first.tested.tolist() == [0, 3, 6]
    assert first.known.tolist() == [2, 4, 5, 8]  # 1 shares a group with 0
    assert second.known.tolist() == [0, 1, 3, 4, 6]
    assert [row.path for row in plan.scored_rows] == [
        f"{index}.png" for index in (0, 2, 3, 5, 6, 8)
    ]
    assert set(held_out[~plan.scored, 0]) == {NONE}


def test_every_source_in_turn_is_each() -> None:
    manifest = _manifest(list(range(6)), "abc")
    assert sources_of(["each"], manifest) == [["a"], ["b"], ["c"]]
    assert sources_of(["b,a"], manifest) == [["b", "a"]]
    with pytest.raises(UsageError, match="twice"):
        sources_of(["a", ["a"]], manifest)


def test_one_class_is_too_little_to_learn_from() -> None:
    manifest = _manifest(list(range(6)), "ab")  # a has all images without a tumour
    plan = _plan(manifest, source_folds([["a"]], manifest), by_source=True)
    with pytest.raises(InputError, match="3 are left to train on, in 3 groups with a tumour and 0"):
        plan.check(plan.folds[0])
    types = manifest.labels * np.array([0, 1, 0, 2, 0, 3])
    with pytest.raises(InputError, match="3 are left to train on"):  # three types, and no others
        replace(plan, labels=types).check(plan.folds[0])


def test_what_is_tuned_on_needs_a_group_of_its_own() -> None:
    manifest = _manifest(list(range(6)), "abaabb")
    plan = _plan(manifest, source_folds([["a"]], manifest))
    plan.check(plan.folds[0])
    with pytest.raises(InputError, match="Expected at least 2 of each, one of which"):
        replace(plan, least=2).check(plan.folds[0])


def test_a_random_split_counts_images() -> None:
    manifest = _manifest([0] * 6, "aabbbb")  # of one group, which a random split divides
    plan = replace(_plan(manifest, source_folds([["a"]], manifest)), least=2)
    with pytest.raises(InputError, match="in 1 group with a tumour and 1 group without"):
        plan.check(plan.folds[0])
    replace(plan, by_image=True).check(plan.folds[0])
    with pytest.raises(InputError, match="in 2 images with a tumour and 2 images without"):
        replace(plan, by_image=True, least=3).check(plan.folds[0])
