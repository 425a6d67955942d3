"""Metrics of several classes: against scikit-learn, with intervals from groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from tumorscope.common.errors import InputError
from tumorscope.statistics import Interval, wilson
from tumorscope.statistics.estimate import Undefined
from tumorscope.statistics.several_classes import evaluate_classes

CLASSES = ("none", "a", "b", "c")


def draw(n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, n)
    raw = generator.random((n, 4)) + np.eye(4)[labels] * 0.6
    return labels, raw / raw.sum(axis=1, keepdims=True), np.arange(n).astype(str)


def test_values_are_those_of_scikit_learn() -> None:
    labels, scores, groups = draw()
    found = evaluate_classes(labels, scores, classes=CLASSES, groups=groups, n_resamples=50)
    calls = scores.argmax(axis=1)
    assert found.metrics["accuracy"].value == pytest.approx(np.mean(calls == labels))
    assert found.metrics["balanced_accuracy"].value == pytest.approx(
        balanced_accuracy_score(labels, calls)
    )
    assert found.metrics["macro_f1"].value == pytest.approx(
        f1_score(labels, calls, average="macro")
    )
    assert found.metrics["macro_auc"].value == pytest.approx(
        roc_auc_score(labels, scores, multi_class="ovr")
    )
    assert found.metrics["log_loss"].value == pytest.approx(log_loss(labels, scores))
    one = found.per_class["b"]
    assert one["sensitivity"].value == pytest.approx(np.mean(calls[labels == 2] == 2))
    assert one["specificity"].value == pytest.approx(np.mean(calls[labels != 2] != 2))
    assert one["ppv"].value == pytest.approx(np.mean(labels[calls == 2] == 2))
    assert one["f1"].value == pytest.approx(f1_score(labels == 2, calls == 2))
    assert one["auc"].value == pytest.approx(roc_auc_score(labels == 2, scores[:, 2]))
    for estimate in (*found.metrics.values(), *one.values()):
        assert isinstance(estimate, Interval)
        assert estimate.low <= estimate.value <= estimate.high
    assert found.n == 120
    assert found.confusion[2][2] == np.sum((labels == 2) & (calls == 2))


def test_copies_make_intervals_wider() -> None:
    labels, scores, groups = draw(40)
    once = evaluate_classes(labels, scores, classes=CLASSES, groups=groups, n_resamples=200)
    thrice = evaluate_classes(
        np.tile(labels, 3),
        np.tile(scores, (3, 1)),
        classes=CLASSES,
        groups=np.tile(groups, 3),
        n_resamples=200,
    )
    first, again = once.metrics["accuracy"], thrice.metrics["accuracy"]
    assert isinstance(first, Interval)
    assert isinstance(again, Interval)
    assert again.high - again.low == pytest.approx(first.high - first.low, abs=0.05)


def test_what_cannot_be_given_is_undefined() -> None:
    labels = np.array([0, 1, 2] * 5)
    scores = np.eye(4)[labels]
    found = evaluate_classes(labels, scores, classes=CLASSES, groups=np.arange(15).astype(str))
    assert isinstance(found.per_class["c"]["sensitivity"], Undefined)
    assert found.per_class["c"]["sensitivity"].value is None
    assert isinstance(found.metrics["macro_auc"], Undefined)
    assert isinstance(found.metrics["log_loss"], Undefined)  # all right, in every resample
    assert found.metrics["log_loss"].value == 0.0


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.array([0, 4]), np.eye(4)[:2], "labels from 0 to 4"),
        (np.array([0, 1]), np.eye(4)[:2] * 2, "sum to between 2 and 2"),
        (np.array([0, 1]), np.eye(3)[:2], "for 4 classes"),
        (np.array([], dtype=int), np.empty((0, 4)), "at least one image"),
    ],
)
def test_what_does_not_fit_is_refused(labels: np.ndarray, scores: np.ndarray, message: str) -> None:
    groups = np.arange(len(labels)).astype(str)
    with pytest.raises(InputError, match=message):
        evaluate_classes(labels, scores, classes=CLASSES, groups=groups)


def test_of_one_class_alone_the_others_are_missing() -> None:
    found = evaluate_classes(
        np.zeros(6, dtype=int),
        np.eye(4)[[0, 0, 0, 0, 0, 1]],
        classes=CLASSES,
        groups=np.arange(6).astype(str),
        n_resamples=20,
    )
    only = found.per_class["none"]
    assert isinstance(only["auc"], Undefined)
    assert only["auc"].reason == "no image of other classes"
    assert only["sensitivity"].value == pytest.approx(5 / 6)
    never = found.per_class["c"]["ppv"]
    assert isinstance(never, Undefined)


def test_resamples_without_a_rare_class_do_not_count_as_failures() -> None:
    labels = np.repeat([0, 1, 2], [20, 20, 2])  # in one of seven resamples there is no 2
    calls = np.where(np.arange(42) < 4, 2, labels)
    found = evaluate_classes(
        labels,
        np.eye(3)[calls],
        classes=("none", "a", "b"),
        groups=np.arange(42),
        n_resamples=200,
    )
    for name, least in (("f1", 0.1), ("ppv", 0.1)):
        rare = found.per_class["b"][name]
        assert isinstance(rare, Interval)
        assert rare.low > least
        assert "undefined and redrawn" in rare.method


def test_shares_that_no_resample_changes_are_bounded_by_their_groups() -> None:
    labels = np.repeat([0, 1, 2], [20, 10, 4])
    groups = np.arange(34) // 2
    found = evaluate_classes(
        labels, np.eye(3)[labels], classes=("none", "a", "b"), groups=groups, n_resamples=50
    )
    rare = found.per_class["b"]
    for name, count in (("sensitivity", 2), ("specificity", 15), ("ppv", 2), ("auc", 2)):
        estimate = rare[name]
        assert isinstance(estimate, Interval)
        assert (estimate.value, estimate.low) == (1.0, wilson(count, count).low)
        assert estimate.method == "Wilson score on groups"
    accuracy = found.metrics["accuracy"]
    assert isinstance(accuracy, Interval)
    assert accuracy.low == wilson(17, 17).low
    assert isinstance(found.metrics["log_loss"], Undefined)


def test_a_class_that_is_never_called_has_no_predictive_value() -> None:
    labels = np.array([0, 1] * 6)
    found = evaluate_classes(
        labels, np.tile([0.9, 0.1], (12, 1)), classes=("none", "a"), groups=np.arange(12)
    )
    ppv = found.per_class["a"]["ppv"]
    assert isinstance(ppv, Undefined)
    assert ppv.reason == "a class was never called, or has no image"


def test_former_names_still_work_and_say_the_new_ones() -> None:
    labels = np.array([0, 1] * 6)
    found = evaluate_classes(
        labels, np.eye(2)[labels], classes=("none", "a"), groups=np.arange(12), n_resamples=5
    )
    with pytest.warns(DeprecationWarning, match=r"Metrics\.metrics"):
        assert found.overall is found.metrics
    with pytest.warns(DeprecationWarning, match=r"Metrics\.n_of_class"):
        assert found.counts == (6, 6)
