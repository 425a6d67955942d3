"""Where the packaged model, its card and its results lie."""

from __future__ import annotations

from pathlib import Path

import tumorscope

ROOT = Path(__file__).parents[1]
INSTALLED = Path(tumorscope.__file__).parent / "models" / "default.onnx"
RESULTS = ROOT / "benchmarks" / "results" / "reference.csv"
SEEDS = RESULTS.with_name("seeds.csv")
ABLATED = RESULTS.with_name("ablations.csv")
SERIES = RESULTS.with_name("series.csv")
EVIDENCE = RESULTS.with_name("evidence_left_out.csv")

CHECKED = "checked.onnx"
"""Beside a model of the step `holdout`: the same with the learnt input check."""

HALF = "half-{}"
"""Folder in that of `holdout`, of the installed model with a check that half of the people whose
volumes it learns from had no part in."""
