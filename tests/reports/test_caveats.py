from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tumorscope.reports.caveats import RANDOM_SPLIT, caveats
from tumorscope.statistics import wilson
from tumorscope.statistics.two_classes import evaluate_scores


def doubts_on(labels: ArrayLike, scores: ArrayLike, **more: Any) -> list[str]:
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    groups = more.pop("groups", np.arange(len(labels)))
    metrics = evaluate_scores(labels, scores, groups=groups, n_resamples=100, **more)
    return caveats(metrics, labels=labels, mean_scores=scores)


def test_a_random_split_is_the_first_doubt() -> None:
    assert doubts_on([0, 1], [0.1, 0.9], split="random")[0] == RANDOM_SPLIT


def test_a_good_result_on_many_images_raises_none() -> None:
    labels = np.arange(2000) % 2
    scores = np.where(np.arange(2000) % 20 < 1, 0.5, np.where(labels == 1, 0.8, 0.2))
    assert doubts_on(labels, scores) == []


@pytest.mark.parametrize(
    ("labels", "scores", "more", "words"),
    [
        ([1, 1, 1], [0.9, 0.8, 0.7], {}, "Every image here has a tumour"),
        ([0] * 5, [0.1] * 5, {}, "Every image here has no tumour"),
        ([0, 1] * 20, [0.4, 0.6] * 10 + [0.6, 0.4] * 10, {}, "would already be right for 50.0"),
        ([0, 1] * 20, [0.01, 0.99] * 15 + [0.9999, 0.0001] * 5, {}, "worse than that of answering"),
        ([0, 1] * 20, [0.05, 0.95] * 19 + [0.95, 0.3], {}, "tumours missed: 0, false alarms: 1"),
        ([0, 1] * 10, [0.1, 0.9] * 10, {}, "20 images are few"),
        ([0, 1] * 10, [0.1, 0.9] * 10, {"groups": np.arange(20) // 4}, "only 5 groups"),
        (
            [0] * 10 + [1] * 10,
            [0.1] * 10 + [0.9] * 10,
            {"sources": ["a"] * 10 + ["b"] * 10},
            "a, b held images of one class only",
        ),
        (
            [0, 1] * 20,
            [0.1, 0.9] * 10 + [0.6, 0.4] * 10,
            {"sources": ["a"] * 20 + ["b"] * 20},
            "0.0\N{NO-BREAK SPACE}% on the 20 images of b",
        ),
    ],
)
def test_each_weakness_is_said(
    labels: ArrayLike, scores: ArrayLike, more: dict[str, Any], words: str
) -> None:
    found = doubts_on(labels, scores, **more)
    assert sum(words in sentence for sentence in found) == 1, found


def test_the_wider_interval_of_groups_is_recommended() -> None:
    # Ten groups of ten copies: a hundred images that are ten.
    labels = np.repeat(np.arange(10) % 2, 10)
    scores = np.repeat([0.1, 0.9, 0.2, 0.4, 0.6, 0.8, 0.3, 0.7, 0.1, 0.9], 10)
    found = doubts_on(labels, scores, groups=np.repeat(np.arange(10), 10))
    assert any("believe this one" in sentence for sentence in found)


def test_a_log_loss_like_that_of_guessing_is_not_called_too_sure() -> None:
    labels = np.arange(60) % 2
    found = doubts_on(labels, np.where(np.arange(60) % 4 < 2, 0.45, 0.55) + 0.01 * (labels == 0))
    assert any("within its interval" in sentence for sentence in found), found
    assert not any("too sure" in sentence for sentence in found)


def test_a_log_loss_that_chance_cannot_explain_is() -> None:
    found = doubts_on([0, 1] * 30, [0.9999, 0.0001] * 20 + [0.1, 0.9] * 10)
    assert any("far too sure of themselves" in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("abstained", "refused", "words"),
    [(10, 0, "answers none of these 10"), (3, 3, "answers 4 of these 10"), (3, 2, None)],
)
def test_a_detector_that_seldom_answers_is_the_first_doubt(
    abstained: int, refused: int, words: str
) -> None:
    labels = np.arange(10) % 2
    scores = np.where(labels == 1, 0.8, 0.2)
    metrics = replace(
        evaluate_scores(labels, scores, groups=range(10), n_resamples=20, split="random"),
        abstained=wilson(abstained, 10),
        refused=wilson(refused, 10),
    )
    first = caveats(metrics, labels=labels, mean_scores=scores)[0]
    assert first == RANDOM_SPLIT if words is None else words in first


@pytest.mark.parametrize("abstained", [9, 10])
def test_a_detector_that_never_answers_is_told_the_remedy(abstained: int) -> None:
    labels = np.arange(10) % 2
    scores = np.where(labels == 1, 0.4, 0.6)
    metrics = replace(
        evaluate_scores(labels, scores, groups=range(10), n_resamples=20),
        abstained=wilson(abstained, 10),
        refused=wilson(0, 10),
    )
    first, second, *_ = caveats(metrics, labels=labels, mean_scores=scores)
    assert first.endswith("--crossval CV -o DIR.") == (abstained == 10)
    assert "Calling every image" in second


def test_a_class_of_which_most_get_no_answer_is_said_though_most_images_do() -> None:
    labels = np.arange(40) % 2
    scores = np.where(labels == 1, 0.6, 0.1)
    metrics = evaluate_scores(labels, scores, groups=np.arange(40), n_resamples=100)
    kept = np.flatnonzero((labels == 0) | (np.arange(40) < 10))
    answered = evaluate_scores(labels[kept], scores[kept], groups=kept, n_resamples=100)
    some = replace(metrics, answered=answered, abstained=wilson(15, 40), refused=wilson(0, 40))
    words = "answers 5 of the 20 images with a tumour and 20 of the 20 without"
    assert words in caveats(some, labels=labels, mean_scores=scores)[0]
    every = replace(metrics, answered=metrics, abstained=wilson(0, 40), refused=wilson(0, 40))
    assert not any(
        "no answer" in each for each in caveats(every, labels=labels, mean_scores=scores)
    )
