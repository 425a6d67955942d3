from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import SPLITS, Row
from tumorscope.cohort.sentences import on_missing_types
from tumorscope.cohort.split import grouped_folds, split
from tumorscope.cohort.tumour_type import types_missing
from tumorscope.common.classes import TUMOUR_TYPES
from tumorscope.common.errors import InputError, UsageError


def cohort_of(groups: list[list[int]]) -> Manifest:
    """A manifest with one group per inner list of labels."""
    rows = [
        Row(f"g{g}/{i}.png", f"{g:032x}{i:032x}", label, f"g{g}")
        for g, labels in enumerate(groups)
        for i, label in enumerate(labels)
    ]
    return Manifest(tuple(rows), Path("/nowhere"))


pure_groups = st.tuples(
    st.lists(st.integers(1, 9), min_size=5, max_size=60),
    st.lists(st.integers(1, 9), min_size=5, max_size=60),
).map(lambda pair: [[1] * size for size in pair[0]] + [[0] * size for size in pair[1]])

any_groups = st.lists(
    st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=0, max_size=30
).map(lambda groups: groups + [[0]] * 5 + [[1]] * 5)

some_fractions = (
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
    .filter(any)
    .map(lambda shares: tuple(share / sum(shares) for share in shares))
)

seeds = st.integers(0, 2**32)


def sides_of_groups(manifest: Manifest) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {}
    for row in manifest.rows:
        sides.setdefault(row.group, set()).add(row.split)
    return sides


@given(any_groups, some_fractions, seeds)
def test_no_group_lies_on_two_sides(
    groups: list[list[int]], fractions: tuple[float, float, float], seed: int
) -> None:
    result = split(cohort_of(groups), fractions=fractions, seed=seed)
    assert all(len(sides) == 1 for sides in sides_of_groups(result).values())
    assert all(row.split in SPLITS for row in result.rows)
    result.check_groups()


@given(pure_groups, some_fractions, seeds)
def test_class_shares_are_within_the_largest_group(
    groups: list[list[int]], fractions: tuple[float, float, float], seed: int
) -> None:
    result = split(cohort_of(groups), fractions=fractions, seed=seed)
    for label in (0, 1):
        total = int((result.labels == label).sum())
        largest = max(len(group) for group in groups if group[0] == label)
        asked = np.array(fractions) * total
        got = np.array([(result.of_split(name).labels == label).sum() for name in SPLITS])
        if min(share for share in asked if share > 0) > largest:
            assert np.abs(got - asked).max() <= largest + 1e-9
        assert np.array_equal(got > 0, asked > 0)


@given(any_groups, some_fractions, seeds)
def test_every_requested_split_has_both_classes_even_with_conflicts(
    groups: list[list[int]], fractions: tuple[float, float, float], seed: int
) -> None:
    result = split(cohort_of(groups), fractions=fractions, seed=seed)
    for name, share in zip(SPLITS, fractions, strict=True):
        assert set(result.of_split(name).labels.tolist()) == ({0, 1} if share else set())


@given(any_groups, seeds, st.randoms(use_true_random=False))
def test_row_order_is_irrelevant(
    groups: list[list[int]], seed: int, shuffler: random.Random
) -> None:
    manifest = cohort_of(groups)
    rows = list(manifest.rows)
    shuffler.shuffle(rows)
    for mode in ("group", "random"):
        straight = split(manifest, seed=seed, mode=mode)
        shuffled = split(manifest.having(rows), seed=seed, mode=mode)
        assert {r.path: r.split for r in straight.rows} == {r.path: r.split for r in shuffled.rows}
        assert [row.path for row in shuffled.rows] == [row.path for row in rows]


def test_seeds_differ_and_global_random_state_does_not_matter() -> None:
    manifest = cohort_of([[1]] * 50 + [[0]] * 50)
    random.seed(1)
    first = split(manifest, seed=1)
    random.seed(2)
    assert split(manifest, seed=1) == first
    assert split(manifest, seed=2) != first


def test_the_split_is_frozen() -> None:
    """A change of the rule would silently re-split every cohort; this makes it loud."""
    result = split(cohort_of([[1]] * 6 + [[0, 0]] * 6), seed=7)
    assert "".join(row.split[1] for row in result.rows) == "errrurrrrrrrrruuee"


def test_a_mixed_group_stays_whole() -> None:
    manifest = cohort_of([[0, 1, 1]] * 4 + [[0]] * 20 + [[1]] * 20)
    for seed in range(20):
        sides = sides_of_groups(split(manifest, seed=seed))
        assert all(len(side) == 1 for side in sides.values())


def test_unreadable_rows_get_no_split_and_do_not_count() -> None:
    rows = list(cohort_of([[1]] * 10 + [[0]] * 10).rows)
    rows += [
        Row(f"bad{i}.jpg", "", 1, f"u{i}", "training", flags=("unreadable",)) for i in range(9)
    ]
    result = split(Manifest(tuple(rows), Path("/nowhere")))
    assert {row.split for row in result.rows if not row.usable} == {""}
    assert sum(row.split == "training" for row in result.rows) == 14


def test_random_mode_parts_groups() -> None:
    manifest = cohort_of([[1] * 10] * 10 + [[0] * 10] * 10)
    result = split(manifest, mode="random")
    assert max(len(sides) for sides in sides_of_groups(result).values()) == 3
    assert len(result.of_split("training")) == 140


@pytest.mark.parametrize(
    "fractions", [(0.7, 0.2, 0.2), (1.2, -0.1, -0.1), (0.5, 0.5, float("nan")), (0.5, 0.5)]
)
def test_impossible_fractions_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match=r"fractions .* expected"):
        split(cohort_of([[1]] * 9 + [[0]] * 9), fractions=fractions)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([[0]] * 20 + [[1]], "'tumour' has 1 readable images in 1 groups"),
        ([[0] * 20] + [[1]] * 20, "'no tumour' has 20 readable images in 1 groups"),
        ([[1]] * 20, "'no tumour' has 0 readable images"),
    ],
)
def test_a_class_too_small_for_all_splits_is_refused(groups: list[list[int]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        split(cohort_of(groups))


def test_nothing_readable_is_refused() -> None:
    rows = (Row("a.jpg", "", 1, "u1", flags=("unreadable",)),)
    with pytest.raises(InputError, match="None of the 1 images"):
        split(Manifest(rows, Path("/nowhere")))


some_types = st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9))


@given(some_types, st.integers(3, 30), seeds)
def test_every_type_reaches_every_split_that_it_can(
    counts: list[int], healthy: int, seed: int
) -> None:
    """And both labels reach all of them, however few groups each type has."""
    kinds = [kind for kind, count in zip(TUMOUR_TYPES, counts, strict=True) for _ in range(count)]
    rows = list(cohort_of([[1]] * len(kinds) + [[0]] * healthy).rows)
    rows[: len(kinds)] = [
        replace(row, tumour_type=kind) for row, kind in zip(rows, kinds, strict=False)
    ]
    cohort = Manifest(tuple(rows), Path("/nowhere"))
    if len(kinds) < 3:
        with pytest.raises(InputError, match="'tumour' has"):
            split(cohort, seed=seed)
        return
    done = split(cohort, seed=seed)
    for kind, count in zip(TUMOUR_TYPES, counts, strict=True):
        reached = {row.split for row in done.rows if row.tumour_type == kind}
        assert len(reached) == min(3, count)
    assert all(set(done.of_split(name).labels.tolist()) == {0, 1} for name in SPLITS)
    rare = [kind for kind, count in zip(TUMOUR_TYPES, counts, strict=True) if 0 < count < 3]
    lacking = {kind for kinds in types_missing(done).values() for kind in kinds}
    assert lacking == set(rare)
    assert all(kind in on_missing_types(done) for kind in rare)


def test_patients_with_images_of_both_labels_are_balanced_by_type_too() -> None:
    kinds = ["glioma"] * 20 + ["meningioma"] * 6 + ["pituitary"] * 3
    rows = [
        replace(row, tumour_type=kinds[patient] if row.label else "")
        for patient in range(len(kinds))
        for row in [
            Row(f"{patient}-{i}.png", f"{patient:032x}{i:032x}", i % 2, f"P{patient}")
            for i in range(4)
        ]
    ]
    for seed in range(20):
        done = split(Manifest(tuple(rows), Path("/nowhere")), seed=seed)
        assert types_missing(done) == {}
        assert all(len(side) == 1 for side in sides_of_groups(done).values())


def test_a_type_with_two_groups_is_trained_on_and_tested() -> None:
    rows = list(cohort_of([[1]] * 22 + [[0]] * 20).rows)
    rows[:22] = [
        replace(row, tumour_type="glioma" if number < 20 else "pituitary")
        for number, row in enumerate(rows[:22])
    ]
    done = split(Manifest(tuple(rows), Path("/nowhere")))
    assert types_missing(done) == {"tuning": ["pituitary"]}
    assert "No pituitary lies in tuning (2 images in 2 groups in all)" in on_missing_types(done)


def test_folds_take_types_with_fewer_groups_than_folds() -> None:
    classes = np.array([0] * 20 + [1] * 12 + [2] * 3 + [3])
    for seed in range(10):
        result = grouped_folds(classes, np.arange(36), folds=5, seed=seed)
        assert len(set(result[classes == 2].tolist())) == 3
        assert all({0} < set(classes[result == fold].tolist()) for fold in range(5))


@given(any_groups, st.integers(2, 5), seeds)
def test_folds_keep_groups_whole_and_reach_both_classes(
    groups: list[list[int]], folds: int, seed: int
) -> None:
    manifest = cohort_of(groups)
    result = grouped_folds(manifest.labels, manifest.groups, folds=folds, seed=seed)
    assert result.dtype == np.int64
    assert result.shape == (len(manifest),)
    for name in set(manifest.groups.tolist()):
        assert len(set(result[manifest.groups == name].tolist())) == 1
    for fold in range(folds):
        assert set(manifest.labels[result == fold].tolist()) == {0, 1}


@given(pure_groups, st.integers(2, 5), seeds)
def test_folds_are_balanced_within_the_largest_group(
    groups: list[list[int]], folds: int, seed: int
) -> None:
    manifest = cohort_of(groups)
    result = grouped_folds(manifest.labels, manifest.groups, folds=folds, seed=seed)
    for label in (0, 1):
        counts = np.bincount(result[manifest.labels == label], minlength=folds)
        largest = max(len(group) for group in groups if group[0] == label)
        if counts.mean() > largest:
            assert np.abs(counts - counts.mean()).max() <= largest


@settings(max_examples=20)
@given(pure_groups, seeds, st.randoms(use_true_random=False))
def test_folds_do_not_depend_on_row_order(
    groups: list[list[int]], seed: int, shuffler: random.Random
) -> None:
    manifest = cohort_of(groups)
    order = list(range(len(manifest)))
    shuffler.shuffle(order)
    straight = grouped_folds(manifest.labels, manifest.groups, folds=5, seed=seed)
    shuffled = grouped_folds(manifest.labels[order], manifest.groups[order], folds=5, seed=seed)
    assert np.array_equal(straight[order], shuffled)


def test_fold_seeds_differ_and_random_mode_parts_groups() -> None:
    labels, groups = np.repeat([0, 1], 40), np.repeat(np.arange(20), 4)
    first = grouped_folds(labels, groups, folds=5, seed=0)
    assert not np.array_equal(first, grouped_folds(labels, groups, folds=5, seed=1))
    leaky = grouped_folds(labels, groups, folds=5, seed=0, mode="random")
    assert any(len(set(leaky[groups == group].tolist())) > 1 for group in range(20))
    assert set(np.bincount(leaky).tolist()) == {16}


def test_impossible_folds_are_refused() -> None:
    with pytest.raises(UsageError, match="1 folds"):
        grouped_folds([0, 1], ["a", "b"], folds=1, seed=0)
    with pytest.raises(UsageError, match="one label"):
        grouped_folds([0, 1], ["a"], folds=2, seed=0)
    with pytest.raises(InputError, match="5 folds"):
        grouped_folds([0, 1, 1, 0], ["a", "b", "c", "d"], folds=5, seed=0)
