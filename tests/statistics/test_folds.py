"""Each fold by itself: what it cannot give is NaN."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.statistics.folds import ByFold


def test_each_fold_and_repeat_is_measured_by_itself() -> None:
    labels = np.array([1, 0, 1, 0, 1])
    scores = np.array([[0.9, 0.1], [0.2, 0.1], [0.4, 0.8], [0.6, 0.3], [0.7, 0.7]])
    folds = np.array([0, 0, 1, 1, 2])
    found = ByFold.of(labels, scores, folds, threshold=0.5)
    assert found.folds.tolist() == [0, 1, 2]
    assert found.accuracy.tolist() == [[1.0, 0.5], [0.0, 1.0], [1.0, 1.0]]
    assert found.auc[:2].tolist() == [[1.0, 0.5], [0.0, 1.0]]
    assert np.isnan(found.auc[2]).all()


def test_folds_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="Expected the same shape"):
        ByFold.of(np.array([1, 0]), np.full((2, 3), 0.5), np.zeros((2, 2), int), threshold=0.5)
