"""Metrics as lines of a table: every value once, with what its interval counts."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tumorscope.common.csv_files import write_csv
from tumorscope.reports.report import COLUMNS, lines_of
from tumorscope.statistics.metrics import NAMES, OF_ALL_CLASSES, Metrics
from tumorscope.statistics.several_classes import OF_EACH_CLASS, evaluate_classes
from tumorscope.statistics.two_classes import evaluate_scores


def written(metrics: Metrics, folder: Path) -> list[dict[str, str]]:
    write_csv(folder / "metrics.csv", COLUMNS, lines_of(metrics))
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_of_two_classes(tmp_path: Path) -> None:
    labels, scores = np.arange(20) % 2, np.linspace(0, 1, 20)
    sources = np.where(np.arange(20) < 10, "a", "b")
    metrics = evaluate_scores(labels, scores, groups=np.arange(20), sources=sources, n_resamples=50)
    lines = written(metrics, tmp_path)
    assert tuple(lines[0]) == COLUMNS
    assert {line["part"] for line in lines} == {"all", "source a", "source b"}
    whole = [line for line in lines if line["part"] == "all"]
    assert [line["name"] for line in whole] == [*NAMES, *metrics.by_group]
    accuracy, again = (line for line in whole if line["name"] == "accuracy")
    assert (accuracy["unit"], again["unit"]) == ("images", "groups")
    assert float(accuracy["value"]) == metrics.metrics["accuracy"].value
    assert accuracy["method"] == "Wilson score"
    assert {line["n"] for line in lines if line["part"] == "source a"} == {"10"}


def test_of_several_classes_and_what_cannot_be_given(tmp_path: Path) -> None:
    labels = np.array([0, 1] * 6)
    metrics = evaluate_classes(
        labels,
        np.eye(3)[labels] * 0.7 + 0.1,
        classes=("none", "x", "y"),
        groups=np.arange(12),
        n_resamples=50,
    )
    lines = written(metrics, tmp_path)
    assert len(lines) == len(OF_ALL_CLASSES) + 3 * len(OF_EACH_CLASS)
    of_y = next(line for line in lines if line["part"] == "class y")
    assert (of_y["value"], of_y["reason"]) == ("", "no image of this class")
