"""The page of series: what its head counts."""

from __future__ import annotations

import io
from pathlib import Path

import tumorscope as ts
from tumorscope.detection.study_page import StudyPage


def test_series_known_from_training_are_counted(series_model: Path, tmp_path: Path) -> None:
    page = StudyPage(ts.Detector.load(series_model), io.StringIO(), descriptions=False)
    page.place("tumour", "<section>", seen=False)
    page.write(tmp_path / "unknown.html")
    page.place("tumour", "<section>", seen=True)
    page.write(tmp_path / "known.html")
    assert "known from training" not in (tmp_path / "unknown.html").read_text("utf-8")
    assert "<b>1</b>known from training" in (tmp_path / "known.html").read_text("utf-8")
