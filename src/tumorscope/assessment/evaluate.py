"""Evaluation: a run or a model file, and images that it has not seen → a report."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from tumorscope.assessment.ask import write_scores
from tumorscope.assessment.evaluation import Evaluation
from tumorscope.assessment.measured import Measured, measure
from tumorscope.assessment.report_inputs import report_inputs
from tumorscope.assessment.seen import (
    refuse_known,
    refuse_moved,
    refuse_seen,
    refuse_trained_on,
)
from tumorscope.assessment.subject import Scored, Subject, images_for, subject_of
from tumorscope.cohort.manifest import Data
from tumorscope.common.errors import UsageError
from tumorscope.common.extras import REPORTS, require
from tumorscope.common.files import output_folder
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say
from tumorscope.detection.rules import rule_of
from tumorscope.records.commands import evaluation_command, run_commands
from tumorscope.records.evaluation_folder import (
    Asked,
    default_folder,
    folder_of_its_own,
    named,
    refuse_occupied,
)
from tumorscope.records.run_folder import Run, RunContents
from tumorscope.reports.report import write_report


@one_writer
def evaluate(
    run: str | Path | Run,
    data: Data | None = None,
    *,
    output: str | Path | None = None,
    allow_seen: bool = False,
    operating_point: str = "balanced",
) -> Evaluation:
    """Measure a run or model on images that it has not seen.

    A run is measured by the detector that ships with it, ``RUN/model.onnx``: calibrated
    probabilities, an operating point, what it abstains on and refuses. The network's raw score at
    0.5, which papers report, stands beside it. Every readable image is scored, also those that the
    model would refuse or abstain on, so that results cannot be improved by refusing.

    Parameters
    ----------
    run : path or Run
        As made by `tumorscope.train`; or a model file of any format that tumorscope writes, or
        "packaged", the one in the package.
    data : path or Manifest, optional
        External cohort; the run's own testing images by default. A model file has none of its own.
    output : path, optional
        Folder for report.html, metrics.json, scores.csv and figures/; by default
        ``RUN/evaluation``, ``RUN/evaluation-NAME`` for a cohort, NAME being its folder's, and
        ``NAME-evaluation`` for a model file, numbered where another report lies there.
    allow_seen : bool
        Score images that it was trained on all the same; the report says so in its title.
    operating_point : str
        Whose threshold decides; a run without a model file has none.

    Raises
    ------
    HonestyError
        If `data` holds images that it was trained on, or copies of them.
    InputError, UsageError
        If the run or model, the data or the folder cannot be used, or a model file has no data.
    """
    require("train", to="evaluate a model", only=REPORTS)  # before it is read, whatever it is
    subject = subject_of(run)
    if subject.run:
        require("train", to="evaluate a run")
    if subject.model:
        rule_of(subject.model.metadata, operating_point)  # before any image is looked at
    images = images_for(subject, data)
    wanted = Path(output) if output else _usual_folder(subject, images)
    asked = Asked(subject.path, data, images.manifest, model=subject.model_id)
    refuse_occupied(wanted, asked)  # before the model is asked about all images
    measured, warning = _measure_unseen(
        subject, images, operating_point=operating_point, allow_seen=allow_seen
    )
    return _report(subject, images, measured, output_folder(wanted), warning, allow_seen)


def evaluate_types(
    run: str | Path | Run,
    data: Data | None = None,
    *,
    output: str | Path | None = None,
    allow_seen: bool = False,
) -> Evaluation:
    """Measure a run of the task "tumour-type"; `evaluate` does the same for every task.

    .. deprecated:: 0.2
       Use `evaluate`, whose parameters and errors it has.
    """
    warnings.warn(
        "evaluate_types is now evaluate, and will go in the next version.",
        DeprecationWarning,
        stacklevel=2,
    )
    run = run if isinstance(run, Run) else Run.open(run)
    if run.recipe.task != "tumour-type":
        raise UsageError(
            f'Received the run {run.folder} with task = "tumour". Expected "tumour-type"; '
            "tumorscope.evaluate measures this one."
        )
    found = evaluate(run, data, output=output, allow_seen=allow_seen)
    return replace(found, scores=found.scores[:, None, :])


def _measure_unseen(
    subject: Subject, images: Scored, *, operating_point: str, allow_seen: bool
) -> tuple[Measured, str | None]:
    """Score images that were not seen, or with a warning where that is allowed."""
    if subject.run is not None:
        warning = _refuse_seen_by_run(subject.run, images, allow_seen=allow_seen)
        return measure(subject, images, operating_point=operating_point), warning
    # A model file knows images by thumbprints alone, which are taken while they are read.
    measured = measure(subject, images, operating_point=operating_point)
    seen = None if measured.said is None else measured.said.seen
    return measured, refuse_known(subject.path, images.manifest, seen, allow_seen=allow_seen)


def _refuse_seen_by_run(contents: RunContents, images: Scored, *, allow_seen: bool) -> str | None:
    run, manifest, origin = contents.on_disk, images.manifest, contents.record.origin
    found = [refuse_seen(origin, manifest, "the evaluation", allow_seen=allow_seen, run=run)]
    if images.edited is not None:
        found.append(refuse_moved(run, images.edited, allow_seen=allow_seen))
    if images.data is not None:
        data = named(images.data)
        found.append(refuse_trained_on(run, manifest, data=data, allow_seen=allow_seen))
    return " ".join(filter(None, found)) or None


def _report(
    subject: Subject,
    images: Scored,
    measured: Measured,
    folder: Path,
    warning: str | None,
    allow_seen: bool,
) -> Evaluation:
    if measured.said is not None:
        write_scores(folder / "scores.csv", images.manifest, measured.said)
    for note in images.edits:
        say(note)
    command = _command(subject, images, folder, allow_seen=allow_seen)
    inputs = report_inputs(subject, images, measured, warning=warning, command=command)
    return Evaluation(
        metrics=write_report(inputs, folder),
        report=folder / "report.html",
        manifest=images.manifest,
        scores=measured.scores,
        unreadable=images.unreadable,
        passed_over=images.passed_over,
    )


def _usual_folder(subject: Subject, images: Scored) -> Path:
    if subject.run is not None:
        return default_folder(subject.path, images.data, images.manifest)
    assert subject.model is not None
    usual = Path(f"{subject.model.metadata.name}-evaluation")
    return folder_of_its_own(usual, images.manifest, subject.model_id)


def _command(subject: Subject, images: Scored, folder: Path, *, allow_seen: bool) -> str:
    data = None if images.data is None else named(images.data)
    if subject.run is None:
        return evaluation_command(subject.path, data, output=folder, allow_seen=allow_seen)
    run = subject.run
    return run_commands(
        run.on_disk.folder, run.recipe, run.record, data=data, output=folder, allow_seen=allow_seen
    )
