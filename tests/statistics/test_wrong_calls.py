"""Errors, the most confident first."""

from __future__ import annotations

import numpy as np

from tumorscope.statistics.wrong_calls import surest_errors


def test_of_two_classes_the_threshold_decides() -> None:
    labels = np.array([1, 1, 0, 0, 1, 0])
    scores = np.array([0.40, 0.02, 0.97, 0.55, 0.9, 0.1])
    assert surest_errors(labels, scores, threshold=0.5).tolist() == [1, 2, 0, 3]
    assert surest_errors(labels, scores, threshold=0.3).tolist() == [1, 2, 3]


def test_of_several_classes_the_highest_score_does() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.3, 0.3, 0.4], [0.2, 0.8, 0.0]])
    assert surest_errors(np.array([0, 1, 2]), scores, threshold=None).tolist() == [2, 1]
