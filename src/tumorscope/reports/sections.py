"""The results in a report: each section takes the material and returns HTML, or nothing."""

from __future__ import annotations

from functools import partial
from html import escape

import numpy as np

from tumorscope.common.errors import TumorscopeError
from tumorscope.reports import displays, table_html
from tumorscope.reports.caveats import RANDOM_SPLIT, guessing_accuracy, guessing_log_loss
from tumorscope.reports.context import Material
from tumorscope.reports.detector_sections import answers_given, what_was_measured
from tumorscope.reports.html import gallery_html, paragraph, safe
from tumorscope.reports.picture import Picture
from tumorscope.reports.text import PERCENTAGES, percent, percent_or_dash, shown, shown_apart, span
from tumorscope.statistics import Interval, wilson
from tumorscope.statistics.calibration_error import PREVALENCES, predictive_values
from tumorscope.statistics.estimate import Estimate
from tumorscope.statistics.metrics import NAMES, Metrics

MOST_ERRORS = 24
MEANING = {
    "accuracy": "calls that agree with the reference standard",
    "auc": "chance that a tumour image scores above a tumour-free one; 0.5 is guessing",
    "log_loss": "penalty for wrong probabilities; 0 is perfect, confident errors cost most",
    "brier": "mean squared error of the probability; 0 is perfect",
    "ece": "mean gap between probability and share of tumours; 0 is perfect",
    "sensitivity": "tumours that were called tumours",
    "specificity": "tumour-free images that were called so",
    "ppv": "tumour calls that were right, among these images",
    "npv": "no-tumour calls that were right, among these images",
    "f1": "harmonic mean of sensitivity and positive predictive value",
    "mcc": "agreement beyond chance, −1 to 1, fair to both classes",
}


def lead(material: Material) -> str:
    """Return the first paragraph and the cards."""
    metrics = material.metrics
    again = f", each scored {metrics.repeats} times" if metrics.repeats > 1 else ""
    words = (
        f"{metrics.n} images, {metrics.n_positive} with a tumour and "
        f"{metrics.n - metrics.n_positive} without, in {metrics.n_groups} groups of "
        f"near-duplicates or patients{again}. {what_was_measured(material)} Below each figure "
        "stands the range in which the truth lies with 95 % confidence, the wider of those that "
        "take images and groups as the unit: read the range, not the figure."
    )
    cards = "".join(
        _card(NAMES[name], name, metrics.cautious(name))
        for name in ("accuracy", "auc", "sensitivity", "specificity", "log_loss")
    )
    leak = "" if metrics.copies is None else paragraph(metrics.copies.words())
    return f'{leak}{paragraph(words)}<div class="cards">{cards}</div>{answers_given(material)}'


def _card(title: str, name: str, found: Estimate) -> str:
    value, interval = shown_apart(name, found)
    return (
        f'<div class="card"><small>{escape(title)}</small><b>{escape(value)}</b>'
        f"<small>{escape(interval)}</small></div>"
    )


def doubts_section(material: Material) -> str:
    """Return the list of doubts and notes."""
    # What a random split does is in the box on top, and how much in the lead.
    shown_above = [
        RANDOM_SPLIT,
        *([material.metrics.copies.words()] if material.metrics.copies else []),
    ]
    sentences = [each for each in material.doubts if each not in shown_above]
    sentences += material.inputs.notes
    if not sentences:
        return paragraph(
            "Nothing was found that the program can check by itself. What it cannot check is under "
            "“Robustness”."
        )
    return "<ul>" + "".join(f"<li>{safe(sentence)}</li>" for sentence in sentences) + "</ul>"


def published_section(material: Material) -> str:
    """Return our figures beside those of a paper, and remarks on the latter."""
    published = material.inputs.published
    if published is None:
        return ""
    rows = []
    # The paper scores with its network alone, so its like is our raw score.
    compared = material.metrics.raw or material.metrics
    for name in ("accuracy", "auc", "log_loss"):
        claim: float | None = getattr(published, name)
        ours = compared.cautious(name)
        if claim is None:
            rows.append((NAMES[name], shown(name, ours), "not given", ""))
            continue
        theirs = f"{percent(claim, 2)}" if name in PERCENTAGES else f"{claim:.4f}"
        reading = _against(claim, ours)
        if name == "accuracy":
            spread = wilson(round(claim * published.n), published.n)
            theirs += f" ({span(percent(spread.low), percent(spread.high))})"
            if isinstance(ours, Interval):
                apart = spread.low > ours.high or spread.high < ours.low
                reading += "; the two intervals " + ("do not overlap" if apart else "overlap")
        rows.append((NAMES[name], shown(name, ours), theirs, reading))
    header = (
        "",
        f"Here, raw score at {compared.threshold:g}, {compared.n} images",
        f"Published, {published.n} images",
        "The published figure is",
    )
    remarks = "".join(f"<li>{safe(remark)}</li>" for remark in published.remarks)
    leaky = (
        paragraph(
            "Neither split keeps near-duplicates together: like is compared with like, and "
            "both leak."
        )
        if material.metrics.split == "random"
        else ""
    )
    return (
        paragraph(
            f"“{published.name}” reports these figures. Its interval is computed here from its "
            "number of test images."
        )
        + table_html(header, rows)
        + leaky
        + (f"<h3>Remarks on the published figures</h3><ul>{remarks}</ul>" if remarks else "")
    )  # fmt: skip


def _against(claim: float, ours: Estimate) -> str:
    if not isinstance(ours, Interval):
        return "not comparable"
    if claim > ours.high:
        return "above our interval"
    return "below our interval" if claim < ours.low else "inside our interval"


def results(material: Material) -> str:
    """Return the table of all figures, the confusion matrix and the classification report."""
    metrics, inputs = material.metrics, material.inputs
    rows = [
        (NAMES[name], *shown_apart(name, found), MEANING[name],
         found.method if isinstance(found, Interval) else "")
        for name in metrics.metrics
        for found in (metrics.cautious(name),)
    ]  # fmt: skip
    guess = ""
    if material.both_classes:
        guess = paragraph(
            "To compare: giving every image the commoner label is right for "
            f"{percent(guessing_accuracy(metrics))}; giving every image the share of tumours as "
            f"its probability has a log loss of {guessing_log_loss(metrics):.3f}."
        )
    threshold = inputs.threshold
    figures = (
        material.figure(
            "confusion_matrix",
            displays.ConfusionMatrixDisplay.from_predictions(
                material.labels, material.scores, threshold=threshold
            ),
            "Read along a row: of the images of one class, how many were called what. The frame "
            "marks right calls; the other two cells are the errors.",
            paper=3,
        ),
        material.figure(
            "classification_report",
            displays.ClassificationReportDisplay.from_predictions(
                material.labels, material.scores, threshold=threshold
            ),
            "Recall of a class: how many of its images were found. Precision: how many calls of "
            "it were right. Recall of “tumour” is sensitivity, of “no tumour” specificity.",
            paper=4,
        ),
        material.figure(
            "score_distribution",
            displays.ScoreDistributionDisplay.from_predictions(
                material.labels, material.scores, threshold=threshold
            ),
            "Tumour images point up, tumour-free ones down. Errors are bars on the wrong side of "
            "the broken line: up on its left (missed), down on its right (false alarms).",
            paper=9,
        ),
    )
    header = ("", "Figure", "95 % interval", "What it says", "Interval by")
    matrix, report, scores = figures
    grid = f'<div class="grid">{matrix}<div>{report}{scores}</div></div>'
    return table_html(header, rows, numeric=(1,)) + guess + grid


def errors(material: Material) -> str:
    """Return the most confident errors as thumbnails, or as a table without pixels."""
    scores, labels = material.mean_scores, material.labels
    threshold = material.inputs.threshold
    wrong = np.flatnonzero((scores >= threshold) != (labels == 1))
    if not len(wrong):
        return paragraph(
            "No image was called wrong. With few images that is no proof: see the interval."
        )
    sureness = np.where(labels == 1, 1 - scores, scores)
    wrong = wrong[np.argsort(-sureness[wrong], kind="stable")]
    missed = int(labels[wrong].sum())
    many = f" The {MOST_ERRORS} most confident are shown." if len(wrong) > MOST_ERRORS else ""
    by_mean = " (by the mean probability over repeats)" if material.metrics.repeats > 1 else ""
    words = paragraph(
        f"{len(wrong)} of {len(labels)} images were called wrong{by_mean}: {missed} "
        f"{'tumour' if missed == 1 else 'tumours'} missed, {len(wrong) - missed} false "
        f"{'alarm' if len(wrong) - missed == 1 else 'alarms'}.{many} The surest error comes "
        "first. Look for what they have in common, and whether the label itself may be wrong: "
        "report doubts about a label, do not change it silently."
    )
    rows = [(index, _caption(material, index)) for index in wrong[:MOST_ERRORS].tolist()]
    pixels = material.inputs.pixels
    if pixels is None:
        table = [(material.inputs.paths[index], caption) for index, caption in rows]
        return words + table_html(("Image", "Reference standard and probability of tumour"), table)
    paths = material.inputs.paths
    return words + gallery_html(
        [Picture.of_scan(partial(pixels, index), paths[index], caption) for index, caption in rows]
    )


def _caption(material: Material, index: int) -> str:
    truth = "is tumour" if material.labels[index] else "is no tumour"
    said = f"{truth}, model says {percent(float(material.mean_scores[index]), 0)} tumour"
    answers = material.inputs.answers
    if answers is None or answers.answered[index]:
        return said
    return f"{said} ({'refused' if answers.refused[index] else 'no answer'})"


def threshold_curves(material: Material) -> str:
    """Return ROC and precision-recall curves."""
    labels, scores, inputs = material.labels, material.scores, material.inputs
    if not material.both_classes:
        return paragraph(
            "ROC and precision-recall curves are not drawn: they need images of both classes."
        )
    curve = displays.RocCurveDisplay.from_predictions(
        labels, scores, groups=inputs.groups, threshold=inputs.threshold
    )
    if isinstance(shown_above := material.metrics.cautious("auc"), Interval):
        curve.auc = shown_above
    roc = material.figure(
        "roc",
        curve,
        "Each point is a threshold: tumours found (up) against false alarms (right). The nearer to "
        "the upper left corner, the better; the dotted diagonal is guessing. The diamond is the "
        "threshold in use.",
        paper=7,
    )
    recall = material.figure(
        "precision_recall",
        displays.PrecisionRecallDisplay.from_predictions(labels, scores),
        "How many tumour calls are right (up) while more tumours are found (right). The dotted "
        "line is guessing; it sinks with the share of tumours, and so does the curve.",
        paper=8,
    )
    return f'<div class="grid">{roc}{recall}</div>'


def by_source(material: Material) -> str:
    """Return the table of figures by source, where there are several."""
    parts = material.metrics.per_source
    if not parts:
        return ""
    names = ("accuracy", "auc", "sensitivity", "specificity")
    rows = [
        (source, f"{part.n} ({part.n_positive} tumour)",
         *(shown(name, part.cautious(name), short=True) for name in names))
        for source, part in sorted(
            parts.items(), key=lambda item: item[1].metrics["accuracy"].value or 0.0
        )
    ]  # fmt: skip
    return paragraph(
        "The worst comes first. A dash: no images of the class that the figure needs."
    ) + table_html(("Source", "Images", *(NAMES[name] for name in names)), rows)


def calibration(material: Material) -> str:
    """Return the reliability diagram, and predictive values at other shares of tumours."""
    figure = material.figure(
        "reliability",
        displays.ReliabilityDisplay.from_predictions(material.labels, material.scores),
        "Images are sorted by probability into bins of equal size. On the dotted line, 80 % means "
        "80 %. Points below it: the model promises more tumours than there are; above: fewer.",
    )
    rows = []
    for prevalence in PREVALENCES:
        values = values_at(material.metrics, prevalence)
        if values:
            estimate, low, high = values
            rows.append((percent(prevalence), *(
                "–"
                if value is None
                else f"{percent(value)} ({span(percent_or_dash(bottom), percent_or_dash(top))})"
                for value, bottom, top in zip(estimate, low, high, strict=True)
            )))  # fmt: skip
    share = percent(material.metrics.n_positive / material.metrics.n, 0)
    table = (
        paragraph(
            f"Here {share} of the images show a tumour; where people are scanned it is far fewer. "
            "With the same sensitivity and specificity, these shares of calls would be right. In "
            "brackets: both figures at the low, and at the high end of their intervals."
        )
        + table_html(("Share of tumours among the scanned", "Tumour calls that are right (PPV)",
                      "No-tumour calls that are right (NPV)"), rows)
        + paragraph("A no-tumour call is not a clean bill of health.")
        if rows
        else paragraph("Predictive values elsewhere need both sensitivity and specificity.")
    )  # fmt: skip
    beside = f"<h3>At other prevalences</h3>{table}"
    return f'<div class="grid"><div>{figure}</div><div>{beside}</div></div>'


Values = tuple[float | None, float | None]


def values_at(metrics: Metrics, prevalence: float) -> tuple[Values, Values, Values] | None:
    """Return PPV and NPV at a share of tumours: estimate, cautious low, hopeful high; or None."""
    sensitivity, specificity = metrics.cautious("sensitivity"), metrics.cautious("specificity")
    if not isinstance(sensitivity, Interval) or not isinstance(specificity, Interval):
        return None
    return (
        predictive_values(sensitivity.value, specificity.value, prevalence),
        predictive_values(sensitivity.low, specificity.low, prevalence),
        predictive_values(sensitivity.high, specificity.high, prevalence),
    )


def fold_by_fold(material: Material) -> str:
    """Return the figure of folds, for a cross-validation."""
    folds = material.inputs.folds
    if folds is None:
        return ""
    return material.figure(
        "folds",
        displays.FoldDisplay.from_predictions(
            material.labels, material.scores, folds=folds, threshold=material.inputs.threshold
        ),
        "Each dot is one fold of one repeat: a model trained without it, measured on it. Dots far "
        "apart mean that the result depends on which images happened to be held out.",
    )


def training(material: Material) -> str:
    """Return the training curves, where there is a history."""
    history = material.inputs.history
    if not history:
        return ""
    return material.figure(
        "training_curves",
        displays.TrainingCurvesDisplay.from_history(history),
        "Broken: images that were trained on. Solid: tuning images, which were not. A widening gap "
        "is overfitting: the network learns its images by heart. The dotted line marks where the "
        "phase changes.",
        paper=5,
    )


def samples(material: Material) -> str:
    """Return a grid of images drawn by lot."""
    inputs = material.inputs
    if inputs.pixels is None:
        return ""
    try:
        display = displays.SampleGridDisplay.from_predictions(
            material.labels, material.scores, pixels=inputs.pixels, paths=inputs.paths,
            threshold=inputs.threshold,
        )  # fmt: skip
    except TumorscopeError as error:
        return paragraph(f"The images can no longer be read: {error}")
    return material.figure(
        "samples",
        display,
        "Drawn by lot, not chosen; the highest probability comes first. Above: the reference "
        "standard; below: the model's probability of a tumour. Wrong calls have a frame and the "
        "word WRONG.",
        paper=6,
    )
