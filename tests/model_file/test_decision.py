"""The decision rule: one direction, one zone, never against its own prediction set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tumorscope.common.classes import CLASSES
from tumorscope.model_file.decision import ABSTAINED, DecisionRule
from tumorscope.model_file.onnx_file import read_model

# Thirty-seconds too, so that ends meet and probabilities fall onto them.
SHARES = st.one_of(st.floats(0.0, 1.0), st.integers(0, 32).map(lambda step: step / 32))
RULES = st.builds(DecisionRule, threshold=SHARES, no_tumour=SHARES, tumour=SHARES)
PROBABILITIES = arrays.arrays(np.float64, st.integers(1, 30), elements=SHARES)


@given(rule=RULES, probabilities=PROBABILITIES)
def test_the_answer_follows_the_probability_in_one_direction(
    rule: DecisionRule, probabilities: np.ndarray
) -> None:
    answers = rule.answers(np.sort(probabilities))
    order = np.select([answers == 0, answers == ABSTAINED], [0, 1], 2)
    assert (np.diff(order) >= 0).all()


@given(rule=RULES, probability=SHARES)
def test_an_answer_is_what_its_prediction_set_says(rule: DecisionRule, probability: float) -> None:
    answer, labels = rule.decide(probability)
    if answer == "abstain":
        assert labels in ((), ("no tumour", "tumour"))
    else:
        assert labels == (answer,)
        assert answer == ("tumour" if probability >= rule.threshold else "no tumour")


@given(rule=RULES, probability=SHARES)
def test_one_is_decided_as_many_are(rule: DecisionRule, probability: float) -> None:
    answer, labels = rule.decide(probability)
    many = np.array([probability])
    kept = rule.sets(many)[0].tolist()
    assert ("no tumour", "tumour", "abstain")[int(rule.answers(many)[0])] == answer
    assert tuple(name for name, held in zip(CLASSES, kept, strict=True) if held) == labels


@given(rule=RULES, probability=SHARES)
def test_it_abstains_inside_the_zone_and_answers_outside(
    rule: DecisionRule, probability: float
) -> None:
    low, high = rule.zone
    assert low <= rule.threshold <= high
    answer, _ = rule.decide(probability)
    if probability < low:
        assert answer == "no tumour"
    elif probability > high:
        assert answer == "tumour"
    elif low < probability < high:
        assert answer == "abstain"


@given(rule=RULES, probabilities=PROBABILITIES)
def test_sets_hold_what_the_quantiles_keep(rule: DecisionRule, probabilities: np.ndarray) -> None:
    kept, sets = rule.kept(probabilities), rule.sets(probabilities)
    assert (sets | ~kept).all()
    assert np.array_equal(kept[:, 0], probabilities <= rule.no_tumour)
    assert np.array_equal(kept[:, 1], 1.0 - probabilities <= rule.tumour)
    assert np.array_equal(sets.any(axis=1), kept.any(axis=1))


@given(rule=RULES, probabilities=PROBABILITIES)
def test_one_image_is_decided_as_many_are(rule: DecisionRule, probabilities: np.ndarray) -> None:
    words = {0: "no tumour", 1: "tumour", ABSTAINED: "abstain"}
    for index, probability in enumerate(probabilities.tolist()):
        answer, labels = rule.decide(probability)
        assert answer == words[int(rule.answers(probabilities)[index])]
        held = tuple(label in labels for label in ("no tumour", "tumour"))
        assert held == tuple(rule.sets(probabilities)[index].tolist())


@given(threshold=SHARES, quantile=SHARES, probability=SHARES)
def test_a_class_with_too_few_scores_is_never_ruled_out(
    threshold: float, quantile: float, probability: float
) -> None:
    always_tumour = DecisionRule(threshold=threshold, no_tumour=quantile, tumour=1.0)
    assert always_tumour.decide(probability)[0] != "no tumour"
    always_none = DecisionRule(threshold=threshold, no_tumour=1.0, tumour=quantile)
    assert always_none.decide(probability)[0] != "tumour"
    neither = DecisionRule(threshold=threshold, no_tumour=1.0, tumour=1.0)
    assert neither.decide(probability) == ("abstain", ("no tumour", "tumour"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # Labels overlap: from 0.25 to 0.75 both are kept, the ends too.
        (
            DecisionRule(threshold=0.5, no_tumour=0.75, tumour=0.75),
            {0.125: "no tumour", 0.25: "abstain", 0.5: "abstain", 0.75: "abstain", 0.875: "tumour"},
        ),
        # A gap between the labels: at its ends one label is kept, and is the answer.
        (
            DecisionRule(threshold=0.5, no_tumour=0.25, tumour=0.25),
            {0.25: "no tumour", 0.375: "abstain", 0.5: "abstain", 0.75: "tumour"},
        ),
        # The threshold lies outside: from it on is "tumour", and what only it permits is not.
        (
            DecisionRule(threshold=0.875, no_tumour=0.5, tumour=0.75),
            {0.125: "no tumour", 0.25: "abstain", 0.75: "abstain", 0.875: "tumour"},
        ),
        (
            DecisionRule(threshold=0.125, no_tumour=0.5, tumour=0.75),
            {0.0: "no tumour", 0.125: "abstain", 0.25: "abstain", 0.5: "abstain", 0.625: "tumour"},
        ),
        # All three meet: both labels are kept at that one point.
        (
            DecisionRule(threshold=0.5, no_tumour=0.5, tumour=0.5),
            {0.4999: "no tumour", 0.5: "abstain", 0.5001: "tumour"},
        ),
    ],
)
def test_at_the_ends_a_label_on_its_border_is_kept(
    rule: DecisionRule, expected: dict[float, str]
) -> None:
    assert {each: rule.decide(each)[0] for each in expected} == expected


def test_no_answer_says_whether_both_or_neither_is_plausible() -> None:
    gap = DecisionRule(threshold=0.125, no_tumour=0.25, tumour=0.25)
    assert gap.decide(0.1875) == ("abstain", ("no tumour", "tumour"))
    assert gap.decide(0.5) == ("abstain", ())


def test_the_rule_of_a_model_file_is_made_of_its_numbers(tiny_model: Path) -> None:
    metadata = read_model(tiny_model).metadata
    rule = DecisionRule.of(metadata.operating_points["specific"], metadata.conformal)
    assert rule == DecisionRule(threshold=0.8, no_tumour=0.6, tumour=0.6)
    assert rule.zone == (0.4, 0.8)
