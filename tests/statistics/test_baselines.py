"""What guessing reaches, of two classes and of several."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscope.statistics.baselines import base_rate_log_loss, no_information_rate
from tumorscope.statistics.several_classes import evaluate_classes
from tumorscope.statistics.two_classes import evaluate_scores


def test_of_two_classes() -> None:
    metrics = evaluate_scores([1, 1, 1, 0], [0.5] * 4, groups=range(4), n_resamples=5)
    assert no_information_rate(metrics) == 0.75
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert base_rate_log_loss(metrics) == pytest.approx(expected)


def test_of_several_classes() -> None:
    labels = np.array([0, 1, 2, 2])
    metrics = evaluate_classes(
        labels, np.eye(3)[labels], classes=("none", "a", "b"), groups=range(4), n_resamples=5
    )
    assert no_information_rate(metrics) == 0.5
    assert base_rate_log_loss(metrics) == pytest.approx(1.5 * np.log(2))
