"""The model card: what it says follows from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.schema import Conformal, Metadata
from tumorscope.statistics import wilson
from tumorscope.statistics.decisions import MeasuredRules, fit_and_measure
from tumorscope.training.card import SOURCES_OF, model_card


@pytest.fixture
def metadata(tiny_model: Path, decisions: MeasuredRules) -> Metadata:
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
    without, having = decisions.rules.quantiles
    conformal = Conformal(no_tumour=without, tumour=having)
    return known.model_copy(
        update={"data": data, "operating_points": decisions.points, "conformal": conformal}
    )


@pytest.fixture
def decisions() -> MeasuredRules:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    return fit_and_measure(labels, generator.normal(2.0 * labels - 1, 1), np.arange(400) % 5)


@pytest.mark.parametrize(
    ("answered", "everything", "words"),
    [
        (wilson(10, 400), wilson(60, 400), "Abstaining lowers the error rate."),
        (wilson(45, 400), wilson(60, 400), "abstaining helps a little, if at all"),
        (wilson(60, 400), wilson(60, 400), "Abstaining does not lower the error rate here."),
    ],
)
def test_abstaining_is_praised_only_where_intervals_part(
    metadata: Metadata, decisions: MeasuredRules, answered: Any, everything: Any, words: str
) -> None:
    point = decisions.points["balanced"].model_copy(
        update={"error_answered": answered, "error": everything}
    )
    metadata = metadata.model_copy(update={"operating_points": {"balanced": point}})
    card = model_card(metadata, decisions, "scores")
    others = [
        sentence
        for sentence in ("lowers the error", "a little, if at all", "does not lower")
        if sentence not in words
    ]
    assert words in card
    assert not any(sentence in card for sentence in others)


def test_images_kept_for_testing_are_not_counted_as_trained_on(
    metadata: Metadata, decisions: MeasuredRules
) -> None:
    card = model_card(metadata, decisions, "scores")
    assert "Images: training 90, testing 10; 100 in all, 40 with a tumour" in card
    assert "Sources of all images, testing included: here" in card
    recorded = metadata.model_copy(update={"data": metadata.data | {"sources_of": SOURCES_OF}})
    assert "Sources of the training and tuning images: here" in model_card(
        recorded, decisions, "scores"
    )
    # Wherever a threshold is shown, the reader is told that a new source does worse.
    assert card.count("expect less of a source") == 2


def test_every_point_is_told_with_its_zone_and_what_was_answered(
    metadata: Metadata, decisions: MeasuredRules
) -> None:
    card = model_card(metadata, decisions, "scores")
    for name, point in metadata.operating_points.items():
        low, high = DecisionRule.of(point, metadata.conformal).zone
        [row] = [line for line in card.splitlines() if point.policy in line]
        assert (
            f"| {point.threshold:.3f} | {low:.3f}–{high:.3f} | {point.abstained.value:.3f}" in row
        )
        assert f"| {name} | {point.sensitivity_answered.value:.3f} (" in card
        assert f"| {name} | {point.sensitivity.value:.3f} (" in card
        assert f"| {name} | {point.coverage[0].value:.3f} (" in card
    assert "called by the threshold" in card


def test_what_could_not_be_measured_is_a_dash(metadata: Metadata, decisions: MeasuredRules) -> None:
    silent = {
        name: point.model_copy(
            update={f"{each}_answered": None for each in ("sensitivity", "specificity", "error")}
        )
        for name, point in metadata.operating_points.items()
    }
    card = model_card(metadata.model_copy(update={"operating_points": silent}), decisions, "scores")
    assert "| balanced | – | – | – |" in card
    assert "no image was answered" in card
