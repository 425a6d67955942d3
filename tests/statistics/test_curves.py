from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from tumorscope.common.errors import InputError
from tumorscope.statistics.curves import (
    average_precision,
    precision_recall_points,
    roc_band,
    roc_points,
)


@given(
    labels=st.lists(st.sampled_from([0, 1]), max_size=40),
    seed=st.integers(0, 9999),
    decimals=st.sampled_from([1, 8]),
)
def test_curves_agree_with_scikit_learn(labels: list[int], seed: int, decimals: int) -> None:
    truth = np.array([0, 1, *labels])
    scores = np.random.default_rng(seed).random(len(truth)).round(decimals)
    fpr, tpr = roc_points(truth, scores)
    expected_fpr, expected_tpr, _ = sk.roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(fpr, expected_fpr)
    np.testing.assert_allclose(tpr, expected_tpr)
    recall, precision = precision_recall_points(truth, scores)
    expected_precision, expected_recall, _ = sk.precision_recall_curve(truth, scores)
    np.testing.assert_allclose(recall[1:], expected_recall[-2::-1])
    np.testing.assert_allclose(precision[1:], expected_precision[-2::-1])
    assert average_precision(truth, scores) == pytest.approx(
        sk.average_precision_score(truth, scores)
    )


@pytest.mark.parametrize("curve", [roc_points, precision_recall_points, average_precision])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_curve(curve: Callable[..., object], label: int) -> None:
    with pytest.raises(InputError, match="both classes"):
        curve(np.full(3, label), np.array([0.1, 0.2, 0.3]))


def test_the_band_holds_the_curve_and_is_none_without_spread() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(40) % 2
    scores = generator.normal(labels, 1.0)[:, None]
    band = roc_band(labels, scores, np.arange(40))
    assert band is not None
    low, high = band
    assert (low <= high).all()
    assert (low < high).any()
    assert roc_band(labels, labels[:, None].astype(float), np.arange(40)) is None
    assert roc_band(labels, scores, np.zeros(40)) is None
