"""The parts of a report that tell a detector from the network's raw score."""

from __future__ import annotations

from tumorscope.reports import table_html
from tumorscope.reports.context import Material
from tumorscope.reports.html import paragraph
from tumorscope.reports.text import percent, shown, span
from tumorscope.statistics.metrics import NAMES, Metrics

RAW_ONLY = (
    "These are raw scores of the recipe's networks, called at {threshold:.3g}: they measure the "
    "recipe. A detector has a calibration and an operating point of its own, and may abstain and "
    "refuse; measure its model file with `tumorscope evaluate`."
)

COMPARED = ("accuracy", "auc", "log_loss", "sensitivity", "specificity", "ppv", "npv", "f1",
            "brier", "ece")  # fmt: skip


def what_was_measured(material: Material) -> str:
    """Return in a sentence or two whose scores these are."""
    answers = material.inputs.answers
    threshold = material.metrics.threshold
    if answers is None:
        return RAW_ONLY.format(threshold=threshold).replace("`", "")
    low, high = answers.zone
    return (
        f"The figures are those of the detector {answers.model} at its operating point "
        f"“{answers.operating_point}”: calibrated probabilities, called a tumour from "
        f"{threshold:.3f} on. It gives no answer from {low:.3f} to {high:.3f}."
    )


def answers_given(material: Material) -> str:
    """Return how many images a detector answers, and how well."""
    metrics = material.metrics
    abstained, refused = metrics.abstained, metrics.refused
    if abstained is None or refused is None:
        return ""
    counts = [round(each.value * metrics.n) for each in (abstained, refused)]
    answered = metrics.n - sum(counts)
    words = (
        f"Of these {metrics.n} images it answers {answered}; the model abstains on {counts[0]} "
        f"({percent(abstained.value)}, {span(percent(abstained.low), percent(abstained.high))}), "
        f"and the input check refuses {counts[1]} ({percent(refused.value)}, "
        f"{span(percent(refused.low), percent(refused.high))}). The figures above call those by "
        "the threshold too, so that no figure gets better by withholding answers."
    )
    if metrics.answered is None:
        return paragraph(words + " No image got an answer, so nothing is known of its answers.")
    figures = ", ".join(
        f"{NAMES[name].lower()} {shown(name, metrics.answered.cautious(name))}"
        for name in ("accuracy", "sensitivity", "specificity")
    )
    return paragraph(f"{words} Among the answered: {figures}.")


def raw_section(material: Material) -> str:
    """Return the raw score's figures beside the detector's."""
    metrics = material.metrics
    if metrics.raw is None:
        return ""
    rows = [
        (NAMES[name], shown(name, metrics.raw.cautious(name)), shown(name, metrics.cautious(name)))
        for name in COMPARED
    ]
    rows.append(("Right / wrong calls", _calls(metrics.raw), _calls(metrics)))
    return paragraph(
        "Papers call the network's own score a tumour from 0.5 on, and answer every image. The "
        "detector calibrates that score, on images that were not tested on, and chooses its "
        "operating point there. The AUC is that of the same order, so it hardly differs."
    ) + table_html(
        ("", f"Raw score at {metrics.raw.threshold:g}", f"Detector at {metrics.threshold:.3f}"),
        rows,
    )


def _calls(metrics: Metrics) -> str:
    (tn, fp), (fn, tp) = metrics.confusion
    return f"{tn + tp:g} / {fp + fn:g} ({fn:g} missed, {fp:g} false alarms)"
