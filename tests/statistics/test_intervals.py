from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics import auc, auc_and_variance, cluster_bootstrap, delong, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # The 32 test images of the paper.
        (29, 32, 0.758, 0.968),
    ],
)
def test_wilson_gives_published_intervals(
    successes: float, n: int, low: float, high: float
) -> None:
    interval = wilson(successes, n)
    places = 3 if n == 32 else 4
    assert (round(interval.low, places), round(interval.high, places)) == (low, high)
    assert interval.value == successes / n


@given(n=st.integers(1, 5000), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilson_is_inside_0_to_1_around_its_value_and_symmetric(
    n: int, share: float, level: float
) -> None:
    successes = round(share * n)
    interval = wilson(successes, n, level=level)
    mirrored = wilson(n - successes, n, level=level)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.low < interval.high
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5), (float("nan"), 5)])
def test_wilson_refuses_impossible_counts(successes: float, n: int) -> None:
    with pytest.raises(InputError, match="trials"):
        wilson(successes, n)


def structural_components(labels: Any, scores: Any) -> tuple[float, float]:
    """DeLong's variance as defined, pair by pair, in O(mn)."""
    above, below = scores[labels == 1], scores[labels == 0]
    wins = (above[:, None] > below) + 0.5 * (above[:, None] == below)
    variance = wins.mean(1).var(ddof=1) / len(above) + wins.mean(0).var(ddof=1) / len(below)
    return wins.mean(), variance


@given(
    labels=st.lists(st.sampled_from([0, 1]), min_size=0, max_size=40),
    seed=st.integers(0, 10_000),
    decimals=st.sampled_from([0, 1, 6]),
)
def test_delong_matches_the_definition_with_and_without_ties(
    labels: list[int], seed: int, decimals: int
) -> None:
    truth = np.array([0, 0, 1, 1, *labels])
    scores = np.random.default_rng(seed).normal(truth, 1).round(decimals)
    area, variance = auc_and_variance(truth, scores)
    expected_area, expected_variance = structural_components(truth, scores)
    assert area == auc(truth, scores) == pytest.approx(expected_area, abs=1e-12)
    assert variance == pytest.approx(expected_variance, abs=1e-12)


# The ovarian cancer patients of DeLong et al. (1988) as reprinted in the SAS/STAT User's Guide,
# example "Comparing Receiver Operating Characteristic Curves": albumin, K-G score, good outcome.
PATIENTS = """
3.0 10 0 3.2 5 1 3.9 3 1 2.8 6 0 3.2 3 1 0.9 5 0 2.5 8 0 1.6 5 1 3.8 5 1 3.7 6 1 3.2 4 1
3.8 6 1 4.1 5 1 3.6 5 1 4.3 4 1 3.6 4 0 2.3 6 1 4.2 4 0 4.0 6 0 3.5 6 1 3.8 7 1 3.0 8 0
4.5 5 1 3.7 5 1 3.1 6 1 4.1 6 1 4.3 5 1 4.3 4 1 3.2 5 1 2.6 6 1 3.3 6 0 1.7 7 0 3.7 5 1
3.3 7 1 4.2 6 1 3.5 5 1 2.9 9 0 2.1 7 1 2.8 8 0 4.0 7 1 3.3 6 1 3.7 5 1 3.6 5 1
"""


@pytest.mark.parametrize(
    ("column", "sign", "area", "error"), [(0, 1, 0.7366, 0.0927), (1, -1, 0.7258, 0.1028)]
)
def test_delong_gives_the_published_areas_and_standard_errors(
    column: int, sign: int, area: float, error: float
) -> None:
    table = np.array(PATIENTS.split(), dtype=float).reshape(-1, 3)
    auc, variance = auc_and_variance(table[:, 2].astype(int), sign * table[:, column])
    assert round(auc, 4) == area
    assert round(variance**0.5, 4) == error


def test_delong_interval_is_symmetric_on_the_logit_scale_and_says_so() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    scores = np.array([0.1, 0.4, 0.35, 0.8, 0.3, 0.9, 0.7, 0.5])
    interval = delong(labels, scores)
    auc, variance = auc_and_variance(labels, scores)
    half = 1.959964 * variance**0.5 / (auc * (1 - auc))
    logit = np.log(auc / (1 - auc))
    assert interval.low == pytest.approx(1 / (1 + np.exp(half - logit)), abs=1e-6)
    assert interval.high == pytest.approx(1 / (1 + np.exp(-half - logit)), abs=1e-6)
    assert "logit" in interval.method


@pytest.mark.parametrize(
    "scores",
    [[0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 0.95], [0.5] * 7, [0.9, 0.8, 0.7, 0.3, 0.2, 0.1, 0.05]],
    ids=["perfect", "all equal", "all wrong"],
)
def test_delong_never_gives_a_zero_width_interval(scores: ArrayLike) -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    interval = delong(labels, scores)
    expected = wilson(interval.value * 3, 3)
    assert (interval.low, interval.high) == (expected.low, expected.high)
    assert interval.high - interval.low > 0.4
    assert "Wilson" in interval.method


def test_delong_with_one_image_in_a_class_falls_back() -> None:
    interval = delong([1, 0, 0, 0], [0.6, 0.1, 0.7, 0.2])
    assert interval.value == pytest.approx(2 / 3)
    assert 0 <= interval.low < interval.high <= 1


def test_delong_of_repeats_does_not_shrink_with_their_number() -> None:
    generator = np.random.default_rng(3)
    labels = np.arange(60) % 2
    scores = generator.normal(labels, 1)
    once, thrice = delong(labels, scores), delong(labels, np.stack([scores] * 3, axis=1))
    assert thrice.low == pytest.approx(once.low)
    assert thrice.high == pytest.approx(once.high)


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        ([1, 1], [0.5, 0.6], "2 positive and 0 negative"),
        ([0, 2], [0.5, 0.6], "neither 0 nor 1"),
        ([0, 1], [0.5, float("nan")], "not a number"),
        ([0, 1, 1], [0.5, 0.6], r"\(3,\)"),
    ],
)
def test_delong_refuses_with_words(labels: ArrayLike, scores: ArrayLike, words: str) -> None:
    with pytest.raises(InputError, match=words):
        delong(labels, scores)


def test_bootstrap_of_groups_of_one_agrees_with_scipy() -> None:
    from scipy.stats import bootstrap

    sample = np.random.default_rng(5).gamma(2, 1, 80)
    ours = cluster_bootstrap(lambda index: sample[index].mean(), np.arange(80), n_resamples=4000)
    theirs = bootstrap(
        (sample,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(sample.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.high == pytest.approx(theirs.high, abs=0.03)


def test_bootstrap_of_groups_covers_where_one_of_images_does_not() -> None:
    # 25 groups of 8 nearly identical images; the truth is 0. Nominal coverage 90 %.
    generator = np.random.default_rng(11)
    groups = np.repeat(np.arange(25), 8)
    covered = {"groups": 0, "images": 0}
    for trial in range(120):
        sample = generator.normal(0, 1, 25)[groups] + generator.normal(0, 0.1, 200)
        for name, units in (("groups", groups), ("images", np.arange(200))):
            interval = cluster_bootstrap(
                partial(mean_of, sample),
                units,
                n_resamples=150,
                level=0.9,
                seed=trial,
            )
            covered[name] += interval.low <= 0 <= interval.high
    assert 0.8 <= covered["groups"] / 120 <= 0.97
    assert covered["images"] / 120 < 0.6


def mean_of(sample: NDArray[np.float64], index: NDArray[np.intp]) -> float:
    return float(sample[index].mean())


def test_bootstrap_counts_undefined_resamples_and_repeats_itself() -> None:
    labels = np.array([1, 0, 0, 0, 0])

    def share_of_positives(index: NDArray[np.intp]) -> float:
        return labels[index].mean() if labels[index].any() else float("nan")

    first = cluster_bootstrap(share_of_positives, np.arange(5), n_resamples=200, seed=7)
    again = cluster_bootstrap(share_of_positives, np.arange(5), n_resamples=200, seed=7)
    assert first == again
    assert "undefined and redrawn" in first.method
    assert first.low >= 0.2


@pytest.mark.parametrize(("groups", "value"), [(np.zeros(5), 1.0), (np.arange(5), float("nan"))])
def test_bootstrap_refuses_one_group_and_undefined_figures(groups: ArrayLike, value: float) -> None:
    with pytest.raises(InputError, match="Bootstrap"):
        cluster_bootstrap(lambda _: value, groups, n_resamples=50)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_levels_outside_0_to_1_are_refused(level: float) -> None:
    with pytest.raises(InputError, match="level"):
        wilson(1, 2, level=level)
