"""``tumorscope evaluate``."""

from __future__ import annotations

from pathlib import Path

from tumorscope.cli.app import check_there, emit_metrics
from tumorscope.cli.options import Common, Flag, OptionalOutput


def evaluate(
    run: Path,
    data: str | None = None,
    /,
    *,
    output: OptionalOutput = None,
    allow_seen: Flag = False,
    common: Common | None = None,
) -> int:
    """Measure a run on its testing images, or a run or model on images it has not seen.

    A run is measured by the detector that ships with it (RUN/model.onnx), as tumorscope predict
    asks it; the network's raw score at 0.5, which papers report, stands beside it.

    Example: `tumorscope evaluate runs/first other-hospital/ -o report/`

    Parameters
    ----------
    run
        Folder made by tumorscope train; or a model file, or packaged, the one in the package:
        these need data.
    data
        External cohort: class folders or a manifest.csv. Refused (exit code 5) where it holds
        images that the model was trained on, or near-duplicates of them.
    output
        Folder for report.html, metrics.json, scores.csv and figures/; by default RUN/evaluation,
        RUN/evaluation-DATA for another cohort, and NAME-evaluation for a model file. The last two
        are numbered where the report on another cohort lies there.
    allow_seen
        Score such images all the same, in a report that says so.
    """
    check_there(None if str(run) == "packaged" else run, data)
    from tumorscope.assessment.evaluate import evaluate as run_evaluation

    common = common or Common()
    result = run_evaluation(run, data, output=output, allow_seen=allow_seen)
    return emit_metrics(common, result, report=result.report)
