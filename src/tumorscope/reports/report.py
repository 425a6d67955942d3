"""Everything about one evaluation → report.html, metrics.json and figures/."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.files import output_folder, write_json
from tumorscope.reports import Section, claim_sections, detector_sections, sections, write_page
from tumorscope.reports.caveats import RANDOM_SPLIT, doubts
from tumorscope.reports.context import Material
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.published import THE_PAPER, Published
from tumorscope.statistics.answers import with_answers
from tumorscope.statistics.calibration_error import PREVALENCES
from tumorscope.statistics.copies import Copies
from tumorscope.statistics.metrics import Metrics, check_scores, evaluate_scores

__all__ = ["THE_PAPER", "Published", "ReportInputs", "write_report"]

FIGURES = (
    "workflow", "model_summary", "confusion_matrix", "classification_report", "training_curves",
    "samples", "roc", "precision_recall", "score_distribution", "reliability", "folds",
)  # fmt: skip
"""Names of the files under figures/, without ``.png`` and ``.svg``."""


def write_report(inputs: ReportInputs, folder: Path) -> Metrics:
    """Write ``report.html``, ``metrics.json`` and ``figures/`` into `folder`.

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
    if len(inputs.paths) != len(inputs.labels):
        raise InputError(
            f"Received {len(inputs.paths)} paths for {len(inputs.labels)} labels. Expected one "
            "path per scored image."
        )
    labels, columns = check_scores(inputs.labels, inputs.scores, threshold=inputs.threshold)
    metrics = evaluate_scores(
        labels,
        columns,
        groups=inputs.groups,
        sources=inputs.sources,
        threshold=inputs.threshold,
        split=inputs.split,
        n_resamples=inputs.n_resamples,
    )
    metrics = replace(metrics, external=inputs.external)
    if inputs.answers is not None:
        metrics = with_answers(
            metrics,
            inputs.answers,
            labels=labels,
            scores=columns[:, 0],
            groups=inputs.groups,
            n_resamples=inputs.n_resamples,
        )
    if inputs.copied is not None and inputs.split == "random":
        right = (columns >= inputs.threshold) == (labels[:, None] == 1)
        metrics = replace(metrics, copies=Copies.among(inputs.copied, right))
    output_folder(folder)
    for name in FIGURES:
        for suffix in (".png", ".svg"):
            (folder / "figures" / (name + suffix)).unlink(missing_ok=True)
    material = Material(
        inputs=inputs,
        metrics=metrics,
        labels=labels,
        scores=columns,
        figures=folder / "figures",
        doubts=doubts(metrics, labels=labels, mean_scores=columns.mean(axis=1)),
    )
    title, warning = _title_and_warning(inputs)
    write_json(folder / "metrics.json", _twin(material, title, warning))
    write_page(
        folder / "report.html",
        title=title,
        lead=sections.lead(material),
        sections=_sections(material),
        warning=warning,
        footer="Every figure is in figures/, every number in metrics.json.",
    )
    return metrics


def _title_and_warning(inputs: ReportInputs) -> tuple[str, str | None]:
    random = inputs.split == "random"
    title = inputs.title + (" — random split, leaks" if random else "")
    warnings = [inputs.warning or "", RANDOM_SPLIT if random else ""]
    return title, " ".join(filter(None, warnings)) or None


def _sections(material: Material) -> list[Section]:
    """Worst news first, then results, then what papers leave out."""
    built = {
        "What to doubt first": sections.doubts_section,
        "Beside the published figures": sections.published_section,
        "Results": sections.results,
        "As the paper measures: raw score at 0.5": detector_sections.raw_section,
        "Errors": sections.errors,
        "Every threshold": sections.threshold_curves,
        "By source": sections.by_source,
        "Can the probabilities be believed?": sections.calibration,
        "Fold by fold": sections.fold_by_fold,
        "Training": sections.training,
        "Some of the images": sections.samples,
        "Data and reference standard": claim_sections.data,
        "Sample size": claim_sections.sample_size,
        "Robustness": claim_sections.robustness,
        "How the model is made": claim_sections.making,
        "Availability": claim_sections.availability,
    }
    found = [(title, make(material)) for title, make in built.items()]
    return [Section(title, html) for title, html in found if html]


def _twin(material: Material, title: str, warning: str | None) -> dict[str, object]:
    published = material.inputs.published
    document = {"title": title, "warning": warning, **material.metrics.to_json()}
    document["predictive_values"] = [
        {"prevalence": prevalence, **dict(zip(("ppv", "npv"), values[0], strict=True))}
        for prevalence in PREVALENCES
        if (values := sections.values_at(material.metrics, prevalence))
    ]
    document["doubts"] = [*material.doubts, *material.inputs.notes]
    document["cohort"] = dict(material.inputs.cohort)
    document["command"] = material.inputs.command
    document["subject"] = material.inputs.subject
    document["data_sha256"] = material.inputs.data_sha256
    answers = material.inputs.answers
    document["detector"] = None
    if answers is not None:
        document["detector"] = {
            "model": answers.model,
            "operating_point": answers.operating_point,
            "abstains": list(answers.zone),
        }
    if published is not None:
        names = ("name", "accuracy", "auc", "log_loss", "n")
        document["published"] = {name: getattr(published, name) for name in names}
    return document
