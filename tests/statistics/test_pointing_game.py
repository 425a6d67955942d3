"""Maps that know where a lesion is, that do not, and that are empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import InputError
from tumorscope.statistics import wilson
from tumorscope.statistics.pointing_game import (
    mass_inside,
    measure_pointing,
    measure_pointing_by_chance,
    points_at,
)


def lesion_at(row: int, column: int) -> np.ndarray:
    mask = np.zeros((20, 20), dtype=bool)
    mask[row : row + 4, column : column + 4] = True
    return mask


def test_a_map_on_the_lesion_is_perfect_and_one_beside_it_is_not() -> None:
    lesion = lesion_at(3, 5)
    on = lesion.astype(np.float32) - 0.5
    assert points_at(on, lesion)
    assert mass_inside(on, lesion) == 1.0
    assert not points_at(-on, lesion)
    assert mass_inside(-on, lesion) == 0.0


def test_half_the_mass_and_no_mass_at_all() -> None:
    lesion = lesion_at(0, 0)
    field = np.zeros((20, 20), dtype=np.float32)
    assert mass_inside(field, lesion) == 0.0
    field[0, 0], field[19, 19], field[10, 10] = 2.0, 2.0, -50.0
    assert mass_inside(field, lesion) == 0.5


def test_figures_of_a_cohort() -> None:
    lesions = [lesion_at(index % 16, 4) for index in range(30)]
    fields = [lesion.astype(np.float32) for lesion in lesions]
    fields[:10] = [np.roll(field, 8, axis=1) for field in fields[:10]]
    groups = np.array([str(index // 2) for index in range(30)])
    found = measure_pointing(fields, lesions, groups, n_resamples=500)
    assert found.n == 30
    assert found.hits.value == pytest.approx(20 / 30)
    assert found.hits.low < found.hits.value < found.hits.high
    assert found.mass.value == pytest.approx(20 / 30)


@given(st.integers(0, 16), st.integers(0, 16))
def test_chance_is_the_lesions_share_of_the_tissue(row: int, column: int) -> None:
    tissue = np.ones((20, 20), dtype=bool)
    lesions = [lesion_at(row, column), lesion_at(column, row)]
    found = measure_pointing_by_chance([tissue] * 2, lesions, np.array(["a", "b"]), n_resamples=20)
    assert found.hits.value == found.mass.value == pytest.approx(16 / 400)


@pytest.mark.parametrize(
    ("fields", "lesions", "message"),
    [
        ([], [], "at least one"),
        ([np.zeros((20, 20), np.float32)], [], "0 outlines"),
        ([np.zeros((9, 9), np.float32)], [lesion_at(0, 0)], "Outline 0"),
        ([np.zeros((20, 20), np.float32)], [np.zeros((20, 20), bool)], "0 pixels inside"),
    ],
)
def test_what_does_not_fit_is_refused(
    fields: list[np.ndarray], lesions: list[np.ndarray], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        measure_pointing(fields, lesions, np.array(["a"] * len(fields)))


def test_hits_alone_are_no_certainty_and_one_group_has_no_interval() -> None:
    """Six of six may well be four of five."""
    lesions = [lesion_at(index, 4) for index in range(6)]
    fields = [lesion.astype(np.float32) for lesion in lesions]
    found = measure_pointing(fields, lesions, np.array(list("abcdef")), n_resamples=100)
    assert found.hits.value == found.mass.value == 1.0
    assert found.hits.low == found.mass.low == pytest.approx(wilson(6, 6).low)
    assert found.hits.method == "Wilson score on groups"
    with pytest.raises(InputError, match="lesions of one group"):
        measure_pointing(fields, lesions, np.array(["a"] * 6))
