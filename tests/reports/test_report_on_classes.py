"""A report on several classes: the same page, with each class against all others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.report import write_report
from tumorscope.statistics.metrics import Split

pytestmark = pytest.mark.usefixtures("few_resamples")

CLASSES = ("none", "a", "b", "c")


def draw(n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, n)
    raw = generator.random((n, 4)) + np.eye(4)[labels] * 0.6
    return labels, raw / raw.sum(axis=1, keepdims=True), np.arange(n).astype(str)


@pytest.mark.parametrize("split", ["grouped", "random"])
def test_the_report(tmp_path: Path, split: Split) -> None:
    labels, scores, groups = draw(60)
    metrics = write_report(
        ReportInputs(
            title="Types",
            paths=[f"{name}.png" for name in groups],
            labels=labels,
            scores=np.stack([scores, scores], axis=1),
            classes=CLASSES,
            groups=groups,
            split=split,
            pixels=lambda index: np.full((40, 30), index, dtype=np.uint8),
            notes=["Two images <disagree>."],
            command="tumorscope crossval DATA",
        ),
        tmp_path,
    )
    page = (tmp_path / "report.html").read_text("utf-8")
    assert ("random split, leaks" in page) == (split == "random")
    assert "Two images &lt;disagree&gt;." in page
    assert "Research use only" in page
    assert "<h2>Errors</h2>" in page
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["metrics"]["accuracy"]["value"] == metrics.metrics["accuracy"].value
    assert np.sum(written["confusion"]) == pytest.approx(60)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "confusion_matrix.png", "confusion_matrix.svg", "per_class.png", "per_class.svg",
    }  # fmt: skip
    assert "each scored 2 times" in metrics.table()
