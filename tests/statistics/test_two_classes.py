from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from tumorscope.common.errors import InputError
from tumorscope.statistics import Interval, delong, wilson
from tumorscope.statistics.estimate import Undefined
from tumorscope.statistics.metrics import NAMES
from tumorscope.statistics.two_classes import evaluate_scores


def example(
    n: int = 60, seed: int = 0, repeats: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 5 < 3).astype(np.int64)
    shape = (n,) if repeats is None else (n, repeats)
    logits = rng.normal(0, 1.2, shape) + (2.0 * labels - 1.0 if repeats is None
                                          else (2.0 * labels - 1.0)[:, None])  # fmt: skip
    return labels, 1 / (1 + np.exp(-logits)), np.arange(n) // 2


@given(seed=st.integers(0, 1000), threshold=st.sampled_from([0.2, 0.5, 0.8]))
@settings(max_examples=15, deadline=None)
def test_values_agree_with_scikit_learn(seed: int, threshold: float) -> None:
    labels, scores, groups = example(seed=seed)
    found = evaluate_scores(labels, scores, groups=groups, threshold=threshold, n_resamples=20)
    called = scores >= threshold
    expected = {
        "accuracy": sk.accuracy_score(labels, called),
        "auc": sk.roc_auc_score(labels, scores),
        "log_loss": sk.log_loss(labels, scores),
        "brier": sk.brier_score_loss(labels, scores),
        "sensitivity": sk.recall_score(labels, called),
        "specificity": sk.recall_score(labels, called, pos_label=0),
        "ppv": sk.precision_score(labels, called),
        "npv": sk.precision_score(labels, called, pos_label=0),
        "f1": sk.f1_score(labels, called),
        "mcc": sk.matthews_corrcoef(labels, called),
    }
    for name, value in expected.items():
        assert found.metrics[name].value == pytest.approx(value), name
    assert found.confusion == tuple(map(tuple, sk.confusion_matrix(labels, called)))


def test_each_metric_has_the_interval_of_its_kind() -> None:
    labels, scores, groups = example()
    found = evaluate_scores(labels, scores, groups=groups, n_resamples=200)
    called = scores >= 0.5
    assert found.metrics["accuracy"] == wilson(int((called == labels).sum()), 60)
    assert found.metrics["ppv"] == wilson(int(labels[called].sum()), int(called.sum()))
    assert found.metrics["auc"] == delong(labels, scores)
    for name in ("log_loss", "brier", "ece", "f1", "mcc"):
        interval = found.metrics[name]
        assert isinstance(interval, Interval)
        assert interval.method.startswith("bootstrap of groups, percentile, 200 resamples")
        assert interval.low <= interval.value <= interval.high
    assert set(found.by_group) == {"accuracy", "auc", "sensitivity", "specificity"}
    assert found.by_group["accuracy"].method.startswith("bootstrap of groups")


def test_repeats_average_but_add_no_images() -> None:
    labels, scores, groups = example(repeats=3)
    found = evaluate_scores(labels, scores, groups=groups, n_resamples=50)
    single = [evaluate_scores(labels, column, groups=groups, n_resamples=50) for column in scores.T]
    for name in NAMES:
        mean = np.mean([each.metrics[name].value for each in single])
        assert found.metrics[name].value == pytest.approx(mean), name
    assert (found.n, found.repeats) == (60, 3)
    assert found.metrics["accuracy"] == wilson(found.metrics["accuracy"].value * 60, 60)
    assert np.sum(found.confusion) == pytest.approx(60)
    copies = evaluate_scores(labels, np.stack([scores[:, 0]] * 3, 1), groups=groups, n_resamples=50)
    for name in NAMES:
        ours, once = copies.metrics[name], single[0].metrics[name]
        assert (ours.low, ours.high) == pytest.approx((once.low, once.high)), name


def test_json_is_the_contract() -> None:
    labels, scores, groups = example()
    sources = np.where(np.arange(60) < 20, "a", "b")
    found = evaluate_scores(
        labels, scores, groups=groups, sources=sources, split="random", n_resamples=20
    )
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["n"] == 60
    assert document["n_positive"] == 36
    assert document["n_groups"] == 30
    assert document["split"] == "random"
    assert document["threshold"] == 0.5
    assert list(document["metrics"]) == [
        "accuracy", "auc", "log_loss", "brier", "ece", "sensitivity", "specificity", "ppv", "npv",
        "f1", "mcc",
    ]  # fmt: skip
    assert set(document["metrics"]["auc"]) == {"value", "low", "high", "method"}
    assert all(isinstance(count, int) for row in document["confusion"] for count in row)
    parts = document["per_group_of"]["source"]
    assert {name: part["n"] for name, part in parts.items()} == {"a": 20, "b": 40}
    alone = evaluate_scores(
        labels[:20], scores[:20], groups=groups[:20], split="random", n_resamples=20
    )
    assert parts["a"]["metrics"] == alone.to_json()["metrics"]


def test_one_source_is_not_listed() -> None:
    labels, scores, groups = example(20)
    found = evaluate_scores(labels, scores, groups=groups, sources=["a"] * 20, n_resamples=5)
    assert "per_group_of" not in found.to_json()


@pytest.mark.parametrize(
    ("labels", "scores", "undefined"),
    [
        ([1, 1, 1], [0.9, 0.8, 0.2], {"auc", "specificity", "mcc"}),
        ([0, 0, 0], [0.1, 0.8, 0.2], {"auc", "sensitivity", "mcc"}),
        ([0, 0, 0], [0.1, 0.2, 0.3], {"auc", "sensitivity", "ppv", "f1", "mcc"}),
        ([0, 1, 1], [0.1, 0.2, 0.3], {"ppv", "mcc"}),
        ([0, 1, 1], [0.6, 0.7, 0.8], {"npv", "mcc"}),
    ],
)
def test_undefined_metrics_are_null_with_a_reason(
    labels: ArrayLike, scores: ArrayLike, undefined: set[str]
) -> None:
    found = evaluate_scores(labels, scores, groups=[0, 1, 2], n_resamples=20)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))["metrics"]
    assert {name for name, each in document.items() if each["value"] is None} == undefined
    assert all(document[name]["reason"] for name in undefined)
    assert all(document[name]["reason"] in found.table() for name in undefined)


def test_resamples_without_a_tumour_do_not_count_as_failures() -> None:
    labels = np.repeat([0, 1], [40, 2])  # in one of seven resamples there is no tumour
    called = np.where(np.arange(42) < 2, 0.9, np.where(labels == 1, 0.8, 0.1))
    found = evaluate_scores(labels, called, groups=np.arange(42), n_resamples=200)
    rare = found.metrics["f1"]
    assert isinstance(rare, Interval)
    assert rare.value == pytest.approx(2 / 3)
    assert rare.low > 0.1
    assert "undefined and redrawn" in rare.method


def test_false_alarms_alone_have_the_f1_score_of_nothing_found() -> None:
    found = evaluate_scores([0] * 6, [0.9] + [0.1] * 5, groups=np.arange(6), n_resamples=20)
    assert found.metrics["f1"].value == 0


def test_a_single_group_has_values_without_bootstrap_intervals() -> None:
    labels, scores, _ = example(20)
    found = evaluate_scores(labels, scores, groups=[0] * 20, n_resamples=20)
    brier = found.metrics["brier"]
    assert isinstance(brier, Undefined)
    assert brier.value == pytest.approx(sk.brier_score_loss(labels, scores))
    assert "too few groups" in brier.reason
    assert isinstance(found.metrics["accuracy"], Interval)


def test_equal_scores_give_no_interval_of_zero_width() -> None:
    found = evaluate_scores([0, 1] * 6, [0.5] * 12, groups=range(12), n_resamples=50)
    for each in [*found.metrics.values(), *found.by_group.values()]:
        assert not isinstance(each, Interval) or each.high - each.low > 1e-6


def test_log_loss_is_clipped_like_keras() -> None:
    found = evaluate_scores([0, 1], [1.0, 1.0], groups=[0, 1], n_resamples=20)
    assert found.metrics["log_loss"].value == pytest.approx((-np.log(1e-7) + 1e-7) / 2, rel=1e-6)


def test_same_seed_same_figures() -> None:
    labels, scores, groups = example()
    once, again, other = (
        evaluate_scores(labels, scores, groups=groups, n_resamples=50, seed=seed).to_json()
        for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


def test_order_of_images_does_not_matter_for_values() -> None:
    labels, scores, groups = example()
    scores = scores.round(1)
    order = np.random.default_rng(1).permutation(60)
    one = evaluate_scores(labels, scores, groups=groups, n_resamples=5)
    two = evaluate_scores(labels[order], scores[order], groups=groups[order], n_resamples=5)
    for name in NAMES:
        assert one.metrics[name].value == pytest.approx(two.metrics[name].value), name


def test_table_is_aligned_and_short() -> None:
    labels, scores, groups = example(repeats=2)
    lines = evaluate_scores(labels, scores, groups=groups, n_resamples=20).table().splitlines()
    assert len(lines) == 13
    assert max(map(len, lines)) <= 110
    assert len({line.index(".") for line in lines[1:-1]}) == 1
    counted = "60 images (36 with a tumour) in 30 groups, each scored 2 times; grouped split"
    assert counted in lines[-1]


@pytest.mark.parametrize(
    ("labels", "scores", "more", "words"),
    [
        ([], [], {}, "no scored images"),
        ([0, 1], [0.5], {}, "one row per image"),
        ([0, 1], np.zeros((2, 0)), {}, "one row per image"),
        ([0, 2], [0.5, 0.5], {}, "labels 2"),
        ([0, 1], [0.5, float("nan")], {}, "nan at image 1"),
        ([0, 1], [0.5, float("inf")], {}, "no probability"),
        ([0, 1], [-0.1, 0.5], {}, "not logits"),
        ([0, 1], [0.1, 0.5], {"threshold": 1.5}, "operating point"),
        ([0, 1], [0.1, 0.5], {"groups": [0]}, "groups of shape"),
        ([0, 1], [0.1, 0.5], {"sources": ["a"]}, "sources of shape"),
        ([0, 1], [0.1, 0.5], {"n_resamples": 0}, "resamples"),
    ],
)
def test_bad_input_is_refused_with_words(
    labels: ArrayLike, scores: ArrayLike, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_scores(labels, scores, **{"groups": [0, 1][: len(labels)], **more})
