"""A detector's answers beside its scores: how many, and how well those that get one are called."""

from __future__ import annotations

import json

import numpy as np

from tumorscope.model_file.decision import ABSTAINED
from tumorscope.statistics import wilson
from tumorscope.statistics.answers import Answers, with_answers
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.two_classes import evaluate_scores

N = 40
LABELS = (np.arange(N) % 5 < 3).astype(np.int64)
SCORES = np.where(LABELS == 1, 0.8, 0.1) + np.linspace(0, 0.15, N)
GROUPS = np.arange(N).astype(str)


def measured(*, abstains: np.ndarray, refused: np.ndarray) -> Metrics:
    metrics = evaluate_scores(LABELS, SCORES, groups=GROUPS, threshold=0.4, n_resamples=50)
    answers = Answers(
        model="m@1",
        operating_point="balanced",
        zone=(0.3, 0.6),
        raw=np.linspace(0, 1, N),
        answers=np.where(abstains, ABSTAINED, LABELS).astype(np.int8),
        refused=refused,
    )
    return with_answers(
        metrics, answers, labels=LABELS, scores=SCORES, groups=GROUPS, n_resamples=50
    )


def test_what_is_refused_and_abstained_on_is_counted_and_left_out_of_the_answered() -> None:
    every = np.arange(N)
    found = measured(abstains=every % 8 == 0, refused=every % 10 == 0)
    # Of 0, 8, 16, 24 and 32 the first is refused as well, and counts as that.
    assert found.abstained == wilson(4, N)
    assert found.refused == wilson(4, N)
    assert found.answered is not None
    assert found.answered.n == N - 8
    assert found.raw is not None
    assert (found.raw.threshold, found.threshold) == (0.5, 0.4)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["abstained"]["n"] == document["refused"]["n"] == 4
    assert document["answered"]["n"] == N - 8
    table = found.table()
    assert "The detector answers 32 of them, abstains on 4 and refuses 4." in table
    assert "Among the answered: accuracy 1.000" in table
    assert "Raw score at 0.5: accuracy" in table


def test_where_nothing_is_answered_nothing_is_known_of_answers() -> None:
    found = measured(abstains=np.ones(N, bool), refused=np.zeros(N, bool))
    assert found.answered is None
    assert found.to_json()["answered"] == {"n": 0, "reason": "no image was answered"}
    assert "Among the answered" not in found.table()
