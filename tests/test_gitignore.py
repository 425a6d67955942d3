"""Patients' pictures are not committed by accident, and the project's own files are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def _in_a_repository() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a clone")


def _git(*words: str, given: str = "") -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, input=given, capture_output=True, text=True, check=False
    ).stdout


def test_none_of_the_projects_own_files_is_ignored() -> None:
    assert _git("ls-files", "--cached", "--ignored", "--exclude-standard") == ""


def test_pictures_and_what_is_made_of_them_are_ignored_wherever_they_lie() -> None:
    private = [
        "data/readme.txt",
        "scans/yes/P07.jpg",
        "somewhere/else/P07.PNG",
        "study/IM0001.dcm",
        "study/DICOMDIR",
        "brain.nii.gz",
        "overlays/a.png.png",
        "audit/audit.json",
        "audit/report.html",
        "mine/report.html",
        "mine/manifest.csv",
        "mine/seen.json",
        "mine/model.onnx",
        "somewhere/P07.jfif",
        "somewhere/P07.jpe",
        "findings.csv",
        "findings.csv.log",
        "findings.parquet",
        "runs/first/scores.csv",
        "cv/metrics.json",
        "comparison/comparison.html",
        "tumorscope-demo/run/run.json",
        "default-evaluation/metrics.json",
        "external/metrics.json",
    ]
    ignored = _git("check-ignore", "--no-index", "--stdin", given="\n".join(private))
    assert ignored.splitlines() == private


def test_new_files_of_the_project_are_not() -> None:
    ours = [
        "src/tumorscope/reports/new.py",
        "src/tumorscope/experiments/comparison/new.py",
        "src/tumorscope/models/default.onnx",
        "tests/data/new.py",
        "tests/golden/expected/run/scores.csv",
        "docs/images/new.png",
        "docs/how-to/new.md",
        "benchmarks/results/new.csv",
        "findings/new.md",
    ]
    assert _git("check-ignore", "--no-index", "--stdin", given="\n".join(ours)) == ""
