"""Calibration, operating points and prediction sets: fitted on one half, true on the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscope.common.errors import InputError
from tumorscope.model_file.decision import DecisionRule
from tumorscope.statistics.conformal import fit_quantiles
from tumorscope.statistics.decisions import fit_and_measure, fit_rules
from tumorscope.statistics.operating_points import POLICIES, choose_threshold
from tumorscope.statistics.platt import fit_calibration, logit, sigmoid


def cohort(n: int, *, seed: int, gap: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and logits that are calibrated: log-likelihood ratios of two Gaussians."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    values = generator.normal(np.where(labels == 1, gap / 2, -gap / 2), 1.0)
    return labels, values * gap


def rule(quantiles: tuple[float, float], threshold: float = 0.5) -> DecisionRule:
    return DecisionRule(threshold=threshold, no_tumour=quantiles[0], tumour=quantiles[1])


def test_calibration_finds_the_distortion_that_was_put_in() -> None:
    labels, true = cohort(20_000, seed=0)
    slope, intercept = fit_calibration(labels, 4.0 * true - 3.0)
    assert slope == pytest.approx(0.25, rel=0.05)
    assert intercept == pytest.approx(0.75, abs=0.08)


def test_perfectly_separated_scores_ask_for_no_infinite_slope() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    slope, _ = fit_calibration(labels, np.where(labels == 1, 5.0, -5.0))
    assert 0.1 < slope < 5


def test_scores_that_are_upside_down_keep_a_slope_above_zero() -> None:
    labels, true = cohort(500, seed=1)
    slope, _ = fit_calibration(labels, -true)
    assert 0 < slope < 0.1


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="0 images with tumour and 5"):
        fit_calibration(np.zeros(5, np.int64), np.arange(5.0))


@given(st.floats(1e-6, 1 - 1e-6))
def test_logit_and_sigmoid_are_inverse(probability: float) -> None:
    assert sigmoid(logit(np.array([probability])))[0] == pytest.approx(probability, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_prediction_sets_cover_each_class_on_new_images(seed: int) -> None:
    labels, values = cohort(2000, seed=seed, gap=1.0)
    quantiles = fit_quantiles(labels, sigmoid(values), miscoverage=0.1)
    new, others = cohort(4000, seed=100 + seed, gap=1.0)
    sets = rule(quantiles).kept(sigmoid(others))
    for label in (0, 1):
        assert sets[new == label, label].mean() == pytest.approx(0.9, abs=0.035)


def test_quantile_is_the_order_statistic_of_the_theory() -> None:
    # 19 images and α = 0.1: ⌈20 · 0.9⌉ = 18th smallest.
    scores = np.arange(1, 20) / 100
    labels = np.zeros(19, np.int64)
    assert fit_quantiles(labels, scores, miscoverage=0.1)[0] == pytest.approx(0.18)
    repeated = fit_quantiles(np.repeat(labels, 3), np.repeat(scores, 3), miscoverage=0.1, repeats=3)
    assert repeated[0] == pytest.approx(0.18)


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_rank_is_exact_for_every_number_of_images(repeats: int) -> None:
    for n in range(1, 2001 if repeats == 1 else 301):
        scores = np.repeat(np.arange(n) / n, repeats)
        for percent in (1, 5, 10, 18, 20, 25, 29, 41, 44, 50):
            # By brute force, in whole numbers: the first rank that reaches (n + 1)(1 − α).
            wanted = (n + 1) * (100 - percent)
            rank = next(r for r in range(wanted // 100, n + 3) if 100 * r >= wanted)
            expected = (rank - 1) / n if rank <= n else 1.0
            found = fit_quantiles(
                np.zeros(n * repeats, np.int64), scores, miscoverage=percent / 100, repeats=repeats
            )
            assert found == (expected, 1.0), (n, percent)


@pytest.mark.parametrize("n", [0, 1, 8])
def test_too_few_images_keep_their_label_in_every_set(n: int) -> None:
    labels = np.array([0] * n + [1] * 50)
    quantiles = fit_quantiles(labels, np.linspace(0.1, 0.9, n + 50), miscoverage=0.1)
    assert quantiles[0] == 1.0
    assert rule(quantiles).kept(np.array([0.0, 0.5, 1.0]))[:, 0].all()


@given(st.integers(0, 1000))
def test_operating_points_keep_what_they_promise(seed: int) -> None:
    labels, values = cohort(60, seed=seed)
    labels[:2] = (0, 1)
    scores = sigmoid(values)
    reached = {}
    for policy in POLICIES:
        calls = scores >= choose_threshold(labels, scores, policy=policy)
        reached[policy] = (calls[labels == 1].mean(), (~calls[labels == 0]).mean())
    assert reached["screening"][0] >= 0.95
    assert reached["specific"][1] >= 0.95
    assert sum(reached["balanced"]) >= max(sum(each) for each in reached.values()) - 1e-9


def test_figures_are_measured_on_folds_that_were_not_fitted() -> None:
    labels, true = cohort(3000, seed=5)
    found = fit_and_measure(labels, 3.0 * true + 2.0, np.arange(3000) % 5)
    assert found.ece_after < 0.03 < found.ece_before
    assert found.rules.slope == pytest.approx(1 / 3, rel=0.15)
    for point in found.points.values():
        assert all(each.high >= 0.9 for each in point.coverage)
    # At the balanced threshold the zone is that of the quantiles, so nothing is widened.
    assert all(each.low <= 0.9 <= each.high for each in found.points["balanced"].coverage)
    screening, specific = found.points["screening"], found.points["specific"]
    assert screening.sensitivity.low <= 0.95 <= screening.sensitivity.high
    assert specific.specificity.low <= 0.95 <= specific.specificity.high
    # The Bayes error of two Gaussians two standard deviations apart is Φ(−1) = 0.159.
    balanced = found.points["balanced"]
    assert balanced.error.low <= 0.159 <= balanced.error.high
    assert balanced.error_answered.high < balanced.error.low


@given(st.integers(0, 1000))
@settings(max_examples=3)
def test_what_a_point_reached_is_what_its_own_rule_does(seed: int) -> None:
    labels, values = cohort(120, seed=seed)
    folds = np.arange(120) % 4
    found = fit_and_measure(labels, values, folds)
    for policy, point in found.points.items():
        assert point.threshold == found.rules.thresholds[policy]
        right = wrong = answered = 0
        covered = [0, 0]
        for fold in range(4):
            part = fit_rules(labels[folds != fold], values[folds != fold], miscoverage=0.1)
            for label, value in zip(labels[folds == fold], values[folds == fold], strict=True):
                answer, held = part.rule(policy).decide(float(part.probabilities(value)))
                covered[label] += ("no tumour", "tumour")[label] in held
                answered += answer != "abstain"
                right += answer == ("no tumour", "tumour")[label]
                wrong += answer == ("tumour", "no tumour")[label]
        assert point.abstained.value == pytest.approx(1 - answered / 120)
        assert point.error_answered.value == pytest.approx(wrong / answered)
        assert right + wrong == answered
        for label in (0, 1):
            share = covered[label] / int((labels == label).sum())
            assert point.coverage[label].value == pytest.approx(share)


def test_what_was_measured_on_no_image_is_not_told() -> None:
    labels, values = cohort(16, seed=0)
    labels[:8], labels[8:] = 0, 1
    found = fit_and_measure(labels, values, np.arange(16) % 2)
    for point in found.points.values():  # too few scores of each class: it never answers
        assert point.abstained.value == 1.0
        assert point.error_answered is point.sensitivity_answered is None
        assert point.error is not None


def test_scores_by_chance_are_not_made_to_look_good() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    found = fit_and_measure(labels, generator.normal(0, 3, 400), np.arange(400) % 5)
    balanced = found.points["balanced"]
    assert balanced.error.low <= 0.5 <= balanced.error.high
    assert balanced.abstained.value > 0.65


def test_repeats_do_not_count_as_images() -> None:
    labels, true = cohort(100, seed=7)
    once = fit_and_measure(labels, true, np.arange(100) % 5)
    thrice = fit_and_measure(labels, np.stack([true] * 3, axis=1), np.arange(100) % 5)
    assert thrice.n == once.n == 100
    for name, point in once.points.items():  # thresholds hang on the last digits of a fit
        assert thrice.points[name].model_copy(update={"threshold": point.threshold}) == point


def test_reliability_is_told_before_and_after() -> None:
    labels, true = cohort(3000, seed=8)
    found = fit_and_measure(labels, 4.0 * true, np.arange(3000) % 5)
    gaps = {
        name: max(abs(each.predicted - each.observed.value) for each in bins)
        for name, bins in (("before", found.reliability_before), ("after", found.reliability_after))
    }
    assert gaps["after"] < 0.06 < gaps["before"]
    assert sum(each.count for each in found.reliability_after) == pytest.approx(3000)
