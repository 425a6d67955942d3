"""No report is written over another's, and none among the scans that are read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fixtures.trained import discs

from tumorscope.assessment.evaluate import evaluate
from tumorscope.assessment.robustness import measure_robustness
from tumorscope.auditing.audit import audit
from tumorscope.common.errors import UsageError
from tumorscope.experiments.crossval import crossval
from tumorscope.synthetic.perturbations import PERTURBATIONS

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "few_trees", "unplotted")


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, command: Callable[[], object], says: str) -> None:
    before = contents(folder)
    with pytest.raises(UsageError, match=says):
        command()
    assert contents(folder) == before


def test_reports_of_something_else_stay(run: Path, other_discs: Path, tmp_path: Path) -> None:
    own = evaluate(run).report.parent
    says = "Internal testing"
    refused(own, lambda: evaluate(run, other_discs, output=own), says)
    refused(own, lambda: evaluate(run / "model.onnx", other_discs, output=own), says)
    refused(own, lambda: audit(other_discs, output=own), says)
    refused(own, lambda: crossval(other_discs, recipe="demo", weights="none", output=own), says)
    refused(run, lambda: evaluate(run, other_discs, output=run), "a training run")

    audited = tmp_path / "audit"
    audit(other_discs, output=audited)
    refused(audited, lambda: evaluate(run / "model.onnx", other_discs, output=audited), "an audit")
    more = discs(tmp_path / "more", n=4, seed=11)
    refused(audited, lambda: audit(more, output=audited), "an audit")


def test_the_same_again_replaces_its_own_report(
    run: Path, other_discs: Path, tmp_path: Path
) -> None:
    own = evaluate(run).report.parent
    assert evaluate(run, output=own).report.parent == own
    model, report = run / "model.onnx", tmp_path / "report"
    evaluate(model, other_discs, output=report)
    moved = run.rename(tmp_path / "moved")
    evaluate(moved / "model.onnx", other_discs, output=report)
    more = discs(tmp_path / "more", n=4, seed=11)
    refused(report, lambda: evaluate(moved / "model.onnx", more, output=report), "External")

    audited, cohort = tmp_path / "audit", shutil.copytree(other_discs, tmp_path / "scans")
    audit(cohort, output=audited)
    next((cohort / "yes").iterdir()).unlink()
    audit(cohort, output=audited)
    audit(audited / "manifest.csv", output=audited)


def test_robustness_of_something_else_stays(run: Path, other_discs: Path, tmp_path: Path) -> None:
    model, folder = run / "model.onnx", tmp_path / "robustness"
    more = discs(tmp_path / "more", n=4, seed=11)
    for _ in range(2):
        measure_robustness(model, other_discs, output=folder, perturbations=PERTURBATIONS[:1])
    refused(
        folder,
        lambda: measure_robustness(model, more, output=folder, perturbations=PERTURBATIONS[:1]),
        "a measurement of robustness",
    )


def test_a_report_of_unknown_origin_stays(other_discs: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    refused(tmp_path, lambda: audit(other_discs, output=tmp_path), "a report.html of unknown")
    (tmp_path / "report.html").unlink()
    (tmp_path / "metrics.json").write_text(json.dumps([1]))
    model = Path("packaged")
    refused(tmp_path, lambda: evaluate(model, other_discs, output=tmp_path), "an evaluation")


@pytest.mark.parametrize("part", ["", "yes"])
def test_nothing_is_written_among_the_scans(
    run: Path, other_discs: Path, tmp_path: Path, part: str
) -> None:
    scans = shutil.copytree(other_discs, tmp_path / "scans")
    output, model = scans / part, run / "model.onnx"
    says = "holds the scans"
    refused(scans, lambda: audit(scans, output=output), says)
    refused(scans, lambda: evaluate(run, scans, output=output), says)
    refused(scans, lambda: evaluate(model, scans, output=output), says)
    refused(scans, lambda: crossval(scans, recipe="demo", weights="none", output=output), says)
    refused(scans, lambda: measure_robustness(model, scans, output=output), says)
