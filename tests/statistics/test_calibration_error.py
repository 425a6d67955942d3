from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.statistics.calibration_error import (
    bin_count,
    equal_mass_bins,
    expected_calibration_error,
    reliability_bins,
)


def test_ece_by_hand() -> None:
    labels = np.array([0, 0, 1, 1])
    scores = np.array([0.1, 0.3, 0.6, 1.0])
    # Bins {0.1, 0.3} and {0.6, 1.0}: gaps 0.2 and 0.2.
    assert expected_calibration_error(labels, scores, n_bins=2) == pytest.approx(0.2)


def test_ece_of_calibrated_scores_is_small_and_of_shifted_ones_is_the_shift() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.2, 0.8, 20_000)
    labels = (rng.random(20_000) < truth).astype(np.int64)
    assert expected_calibration_error(labels, truth) < 0.015
    assert expected_calibration_error(labels, truth + 0.15) == pytest.approx(0.15, abs=0.01)


@given(n=st.integers(1, 300), n_bins=st.integers(1, 10))
def test_bins_without_ties_hold_equally_many(n: int, n_bins: int) -> None:
    scores = np.random.default_rng(n).permutation(n) / n
    n_bins = min(n_bins, n)
    counts = np.bincount(equal_mass_bins(scores, n_bins))
    assert len(counts) == n_bins
    assert counts.max() - counts.min() <= 1


def test_equal_scores_share_a_bin() -> None:
    assert set(equal_mass_bins(np.full(50, 0.5), 5)) == {1}
    assert len(reliability_bins(np.arange(50) % 2, np.full(50, 0.5))) == 1


@pytest.mark.parametrize(("n", "bins"), [(1, 1), (19, 1), (40, 4), (253, 10), (7000, 10)])
def test_few_images_get_few_bins(n: int, bins: int) -> None:
    assert bin_count(n) == bins


def test_reliability_bins_of_repeats_count_images_once() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 80)
    scores = rng.random((80, 4))
    bins = reliability_bins(labels, scores)
    assert sum(each.count for each in bins) == pytest.approx(80)
    for each in bins:
        assert each.lowest <= each.predicted <= each.highest
        assert each.observed.low < each.observed.value < each.observed.high
