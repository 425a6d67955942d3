"""Everything about one evaluation → report.html, metrics.json, metrics.csv and figures/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tumorscope.common.files import output_folder, write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.reports.caveats import RANDOM_SPLIT, caveats
from tumorscope.reports.context import context_of
from tumorscope.reports.figures import draw_figures
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.measure import measure
from tumorscope.reports.metrics_csv import write_metrics_csv
from tumorscope.reports.page import write_html
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.prevalence import values_elsewhere


def write_report(inputs: ReportInputs, folder: Path) -> Metrics:
    """Write ``report.html``, ``metrics.json``, ``metrics.csv`` and ``figures/`` into `folder`.

    Same inputs, same bytes. Figures of an earlier report that do not belong to this one are
    removed.

    Parameters
    ----------
    inputs : ReportInputs
        What was evaluated.
    folder : Path
        Created if need be.

    Returns
    -------
    Metrics
        What ``metrics.json`` holds.

    Raises
    ------
    InputError
        If labels, scores, groups or paths do not fit together.
    OutputError
        If `folder` cannot be written to.
    """
    metrics = measure(inputs)
    output_folder(folder)
    drawn = draw_figures(inputs, metrics, folder / "figures")
    found = caveats(metrics, labels=inputs.labels, mean_scores=inputs.mean_scores)
    random = inputs.split == "random"
    title = inputs.title + (" — random split, leaks" if random else "")
    warning = " ".join(filter(None, [inputs.warning, RANDOM_SPLIT if random else None])) or None
    heading = {"notice": RESEARCH_USE_ONLY, "title": title, "warning": warning}
    write_json(folder / "metrics.json", heading | _document(inputs, metrics, found))
    write_metrics_csv(folder / "metrics.csv", metrics)
    # What a random split does is in the box on top, and how many copies it has in the lead.
    above = {RANDOM_SPLIT, metrics.copies.words() if metrics.copies else ""}
    doubts = [each for each in found if each not in above]
    write_html(
        folder / "report.html",
        "reports/evaluation.html",
        title=title,
        warning=warning,
        footer="Every figure is in figures/, every number in metrics.json and metrics.csv.",
        samples_gone=drawn.samples_gone,
        **context_of(inputs, metrics, doubts=[*doubts, *inputs.notes], pictures=drawn.pictures),
    )
    return metrics


def _document(inputs: ReportInputs, metrics: Metrics, doubts: Sequence[str]) -> dict[str, object]:
    """Return the content of ``metrics.json``."""
    return {
        **metrics.to_json(),
        "doubts": [*doubts, *inputs.notes],
        "notes": list(inputs.notes),
        "cohort": dict(inputs.cohort),
        "command": inputs.command,
        "kind": inputs.kind,
        "subject": inputs.subject,
        "data": inputs.data,
        "data_sha256": inputs.data_sha256,
        **(_of_a_detector(inputs, metrics) if inputs.two_classes else {}),
    }


def _of_a_detector(inputs: ReportInputs, metrics: Metrics) -> dict[str, object]:
    """Return what ``metrics.json`` says of two classes alone."""
    answers, published = inputs.answers, inputs.published
    document: dict[str, object] = {
        "predictive_values": [
            {"prevalence": each.prevalence, **each.estimate._asdict()}
            for each in values_elsewhere(metrics)
        ],
        "detector": None,
    }
    if answers is not None:
        document["detector"] = {
            "model": answers.model,
            "operating_point": answers.operating_point,
            "abstains": list(answers.zone),
        }
    if inputs.pointing is not None:
        document["pointing"] = inputs.pointing.to_json()
    if published is not None:
        names = ("name", "accuracy", "auc", "log_loss", "n")
        document["published"] = {name: getattr(published, name) for name in names}
    return document
