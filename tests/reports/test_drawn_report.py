"""A report with everything that it can hold, its figures drawn."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.report_inputs import inputs, page, titles

from tumorscope.reports.figures import FIGURES
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.published import THE_PAPER
from tumorscope.reports.report import write_report
from tumorscope.statistics.metrics import Metrics


def everything(**more: Any) -> ReportInputs:
    return inputs(
        sources=np.where(np.arange(40) < 15, "archive <A>", "archive B"),
        repeats=2,
        folds=np.arange(40) % 4,
        history=[
            {"epoch": 1, "phase": "frozen", "learning_rate": 1e-4, "loss": 0.6, "accuracy": 0.7},
            {"epoch": 2, "phase": "fine-tuning", "learning_rate": 1e-5, "loss": 0.5,
             "accuracy": 0.8},
        ],
        model_summary=[("dense", "Dense", "(None, 1)", 129)],
        pixels=lambda index: np.full((20, 30), 5 * index, np.uint8),
        recipe={"name": "paper", "data": {"fractions": [0.7, 0.15, 0.15]}},
        facts={"keras version": "3.12", "data SHA-256": "ab" * 32},
        cohort={"images": "253"},
        notes=["Grey values are divided by 255 & not scaled."],
        published=THE_PAPER,
        command="tumorscope crossval DATA",
        **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Metrics, Path]:
    folder = tmp_path_factory.mktemp("full")
    return write_report(everything(), folder), folder


def test_a_full_report_has_every_figure_and_section(full: tuple[Metrics, Path]) -> None:
    _, folder = full
    assert {file.stem for file in (folder / "figures").iterdir()} == set(FIGURES) - {"per_class"}
    assert titles(folder) == [
        "What to doubt first", "Beside the published results", "Results", "Errors",
        "Every threshold", "By source", "Can the probabilities be believed?", "Fold by fold",
        "Training", "Some of the images", "Data and reference standard", "Sample size",
        "Robustness", "How the model is made", "Availability",
    ]  # fmt: skip


def test_the_page_is_self_contained_and_escaped(full: tuple[Metrics, Path]) -> None:
    _, folder = full
    html = page(folder)
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert "<script" not in html
    assert "archive &lt;A&gt;" in html
    assert "archive <A>" not in html
    assert "255 &amp; not scaled" in html
    assert "Research use only" in html


def test_the_twin_holds_the_same_figures(full: tuple[Metrics, Path]) -> None:
    metrics, folder = full
    twin = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert {name: twin[name] for name in metrics.to_json()} == metrics.to_json()
    assert twin["published"]["auc"] == 0.9909
    assert [row["prevalence"] for row in twin["predictive_values"]] == [0.005, 0.02, 0.05, 0.1]
    accuracy = metrics.metrics["accuracy"]
    assert f"{100 * accuracy.value:.1f}\N{NO-BREAK SPACE}%" in page(folder)


def test_facts_commands_and_remarks_are_shown(full: tuple[Metrics, Path]) -> None:
    html = page(full[1])
    for words in ("tumorscope crossval DATA", "3.12", "ab" * 32, "dividing", "218 of the 220"):
        assert words in html
    assert "29 of 32" in html
    assert sorted(set(re.findall(r"Figure (\d) of the paper", html))) == list("123456789")


def test_same_inputs_same_bytes(full: tuple[Metrics, Path], tmp_path: Path) -> None:
    write_report(everything(), tmp_path)
    for name in ("report.html", "metrics.json", "figures/roc.png", "figures/samples.png"):
        hashes = {
            hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for folder in (full[1], tmp_path)
        }
        assert len(hashes) == 1, name
