"""Predictive values elsewhere: by counting people, and with what the intervals leave open."""

from __future__ import annotations

import pytest

from tumorscope.statistics.prevalence import PREVALENCES, predictive_values, values_elsewhere
from tumorscope.statistics.two_classes import evaluate_scores


def test_predictive_values_by_counting_people() -> None:
    # Of 10,000 people 200 have a tumour: 180 found, 490 false alarms; 9,310 rightly cleared.
    positive, negative = predictive_values(0.9, 0.95, 0.02)
    assert positive == pytest.approx(180 / (180 + 490))
    assert negative == pytest.approx(9310 / (9310 + 20))


def test_predictive_values_without_calls_are_none() -> None:
    positive, negative = predictive_values(0.0, 1.0, 0.1)
    assert positive is None
    assert negative == pytest.approx(0.9)
    positive, negative = predictive_values(1.0, 0.0, 0.1)
    assert positive == pytest.approx(0.1)
    assert negative is None


def test_intervals_are_carried_over() -> None:
    metrics = evaluate_scores(
        [1, 1, 1, 1, 0, 0, 0, 0],
        [0.9, 0.8, 0.7, 0.1, 0.1, 0.2, 0.3, 0.9],
        groups=range(8),
        n_resamples=20,
    )
    found = values_elsewhere(metrics)
    assert [each.prevalence for each in found] == list(PREVALENCES)
    for each in found:
        for low, value, high in zip(each.low, each.estimate, each.high, strict=True):
            assert low is not None
            assert value is not None
            assert high is not None
            assert low < value < high


def test_one_class_has_none() -> None:
    assert values_elsewhere(evaluate_scores([1, 1], [0.9, 0.8], groups=[0, 1], n_resamples=5)) == []
