"""Everything about one evaluation → report.html, metrics.json and figures/."""

from __future__ import annotations

from pathlib import Path

from tumorscope.common.files import output_folder, write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.reports import (
    Section,
    claim_sections,
    class_sections,
    detector_sections,
    sections,
    write_page,
)
from tumorscope.reports.caveats import RANDOM_SPLIT, doubts
from tumorscope.reports.context import Material
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.measure import measure
from tumorscope.reports.published import THE_PAPER, Published
from tumorscope.statistics.calibration_error import PREVALENCES
from tumorscope.statistics.metrics import Metrics

__all__ = ["THE_PAPER", "Published", "ReportInputs", "write_report"]

FIGURES = (
    "workflow", "model_summary", "confusion_matrix", "classification_report", "training_curves",
    "samples", "roc", "precision_recall", "score_distribution", "reliability", "folds", "per_class",
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
    metrics = measure(inputs)
    output_folder(folder)
    for name in FIGURES:
        for suffix in (".png", ".svg"):
            (folder / "figures" / (name + suffix)).unlink(missing_ok=True)
    title, warning = _title_and_warning(inputs)
    document: dict[str, object] = {
        "notice": RESEARCH_USE_ONLY,
        "title": title,
        "warning": warning,
        **metrics.to_json(),
        "notes": list(inputs.notes),
        "cohort": dict(inputs.cohort),
        "command": inputs.command,
        "subject": inputs.subject,
        "data_sha256": inputs.data_sha256,
    }
    if inputs.two_classes:
        material = Material(
            inputs=inputs,
            metrics=metrics,
            labels=inputs.labels,
            scores=inputs.columns,
            figures=folder / "figures",
            doubts=doubts(metrics, labels=inputs.labels, mean_scores=inputs.mean_scores),
        )
        document |= _of_a_detector(material)
        lead, parts = sections.lead(material), _sections(material)
    else:
        lead = class_sections.lead(metrics)
        parts = class_sections.class_sections(inputs, metrics, folder / "figures")
    write_json(folder / "metrics.json", document)
    write_page(
        folder / "report.html",
        title=title,
        lead=lead,
        sections=parts,
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


def _of_a_detector(material: Material) -> dict[str, object]:
    """Return what ``metrics.json`` says of two classes alone."""
    inputs, published = material.inputs, material.inputs.published
    document: dict[str, object] = {
        "predictive_values": [
            {"prevalence": prevalence, **dict(zip(("ppv", "npv"), values[0], strict=True))}
            for prevalence in PREVALENCES
            if (values := sections.values_at(material.metrics, prevalence))
        ],
        "doubts": [*material.doubts, *inputs.notes],
        "detector": None,
    }
    answers = inputs.answers
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
