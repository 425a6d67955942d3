"""The model card: what it says follows from what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tumorscope.evaluation.decisions import Decisions, fit_decisions
from tumorscope.model_file.container import read_model
from tumorscope.model_file.schema import Metadata
from tumorscope.statistics import wilson
from tumorscope.training.card import model_card


@pytest.fixture
def metadata(tiny_model: Path) -> Metadata:
    known = read_model(tiny_model).metadata
    data = {
        "images": {"training": 90, "testing": 10, "tuning": 0},
        "tumour": 40,
        "groups": 80,
        "sources": ["here"],
        "sha256": "0" * 64,
        "weights": "none",
        "split": "grouped",
    }
    return known.model_copy(update={"data": data, "operating_points": {}})


@pytest.fixture
def decisions() -> Decisions:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    return fit_decisions(labels, generator.normal(2.0 * labels - 1, 1), np.arange(400) % 5)


@pytest.mark.parametrize(
    ("answered", "everything", "words"),
    [
        (wilson(10, 400), wilson(60, 400), "Abstaining lowers the error rate."),
        (wilson(45, 400), wilson(60, 400), "abstaining helps a little, if at all"),
        (wilson(60, 400), wilson(60, 400), "Abstaining does not lower the error rate here."),
    ],
)
def test_abstaining_is_praised_only_where_intervals_part(
    metadata: Metadata, decisions: Decisions, answered: object, everything: object, words: str
) -> None:
    measured = replace(decisions, error_answered=answered, error_all=everything)
    card = model_card(metadata, measured, "scores")
    others = [
        sentence
        for sentence in ("lowers the error", "a little, if at all", "does not lower")
        if sentence not in words
    ]
    assert words in card
    assert not any(sentence in card for sentence in others)


def test_images_kept_for_testing_are_not_counted_as_trained_on(
    metadata: Metadata, decisions: Decisions
) -> None:
    card = model_card(metadata, decisions, "scores")
    assert "90 images; with 10 for testing, which it was not fitted on, 100, 40 with" in card
    # Wherever a threshold is shown, the reader is told that a new source does worse.
    assert card.count("expect less of a source") == 2
