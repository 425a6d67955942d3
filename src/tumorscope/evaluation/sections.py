"""The sections of an evaluation report: each takes the material and returns HTML, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import TumorscopeError
from tumorscope.evaluation import displays
from tumorscope.evaluation.calibration import PREVALENCES, predictive_values
from tumorscope.evaluation.doubts import guessing_accuracy, guessing_log_loss, percent
from tumorscope.evaluation.metrics import NAMES, Estimate, Metrics
from tumorscope.reporting import figure_html, figure_png, grey_uri, table_html
from tumorscope.reporting.page import house_style
from tumorscope.statistics import Interval, wilson

if TYPE_CHECKING:
    from tumorscope.evaluation.report import ReportInputs

MOST_ERRORS = 24
PERCENTAGES = frozenset({"accuracy", "sensitivity", "specificity", "ppv", "npv"})

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


@dataclass(frozen=True, kw_only=True)
class Material:
    """What the sections are written from.

    Attributes
    ----------
    inputs : ReportInputs
    metrics : Metrics
    labels : ndarray of shape (n,)
    scores : ndarray of shape (n, repeats)
    figures : Path
        Folder of the PNG files.
    doubts : sequence of str
        Worst first.
    """

    inputs: ReportInputs
    metrics: Metrics
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    figures: Path
    doubts: Sequence[str]

    @property
    def mean_scores(self) -> NDArray[np.float64]:
        """Probability of tumour by image, the mean over repeats."""
        return np.asarray(self.scores.mean(axis=1))

    @property
    def both_classes(self) -> bool:
        """Whether there are images with and without a tumour."""
        return 0 < self.metrics.n_positive < self.metrics.n

    def figure(self, name: str, display: displays.Display, caption: str) -> str:
        """Write a figure, and return it as HTML with its caption."""
        with house_style():
            figure = display.plot().figure_
            return figure_html(figure_png(figure, self.figures / f"{name}.png"), caption)


def shown(name: str, found: Estimate, *, short: bool = False) -> str:
    """Return a figure and its interval as text: "84.2 % (79.2 % to 88.2 %)"."""

    def number(value: float) -> str:
        return percent(value) if name in PERCENTAGES else f"{value:.3f}"

    if isinstance(found, Interval):
        return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"
    value = "–" if found.value is None else number(found.value)
    return value if short else f"{value} ({found.reason})"


def lead(material: Material) -> str:
    """Return the first paragraph and the cards."""
    metrics = material.metrics
    found = metrics.metrics
    again = f", each scored {metrics.repeats} times" if metrics.repeats > 1 else ""
    words = (
        f"{metrics.n} images, {metrics.n_positive} with a tumour and "
        f"{metrics.n - metrics.n_positive} without, in {metrics.n_groups} groups of "
        f"near-duplicates or patients{again}. An image is called a tumour from a probability of "
        f"{metrics.threshold:g} on. Below each figure stands the range in which the truth lies "
        "with 95 % confidence: read the range, not the figure."
    )
    cards = "".join(
        _card(NAMES[name], name, found[name])
        for name in ("accuracy", "auc", "sensitivity", "specificity", "log_loss", "ece")
    )
    return f'<p>{escape(words)}</p><div class="cards">{cards}</div>'


def _card(title: str, name: str, found: Estimate) -> str:
    value, _, interval = shown(name, found).partition(" (")
    return (
        f'<div class="card"><small>{escape(title)}</small><b>{escape(value)}</b>'
        f"<small>{escape(interval.removesuffix(')'))}</small></div>"
    )


def doubts_section(material: Material) -> str:
    """Return the list of doubts and notes."""
    sentences = [*material.doubts, *material.inputs.notes]
    if not sentences:
        return _p("Nothing was found that the program can check by itself. What it cannot check "
                  "is under “Robustness”.")  # fmt: skip
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def published_section(material: Material) -> str:
    """Return our figures beside those of a paper, and remarks on the latter."""
    published = material.inputs.published
    if published is None:
        return ""
    rows = []
    for name in ("accuracy", "auc", "log_loss"):
        claim: float | None = getattr(published, name)
        ours = material.metrics.metrics[name]
        if claim is None:
            rows.append((NAMES[name], shown(name, ours), "not given", ""))
            continue
        theirs = f"{percent(claim, 2)}" if name in PERCENTAGES else f"{claim:.4f}"
        reading = _against(claim, ours)
        if name == "accuracy":
            spread = wilson(round(claim * published.n), published.n)
            theirs += f" ({percent(spread.low)} to {percent(spread.high)})"
            if isinstance(ours, Interval):
                apart = spread.low > ours.high or spread.high < ours.low
                reading += "; the two intervals " + ("do not overlap" if apart else "overlap")
        rows.append((NAMES[name], shown(name, ours), theirs, reading))
    header = ("", f"Here, {material.metrics.n} images", f"Published, {published.n} images",
              "The published figure is")  # fmt: skip
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in published.remarks)
    leaky = (
        _p("Both splits are random here, so this comparison is like with like, and both leak.")
        if material.metrics.split == "random"
        else ""
    )
    return (
        _p(f"“{published.name}” reports these figures. Its interval is computed here from its "
           "number of test images.")
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
        (NAMES[name], shown(name, found), MEANING[name],
         found.method if isinstance(found, Interval) else "")
        for name, found in metrics.metrics.items()
    ]  # fmt: skip
    guess = (
        f"To compare: giving every image the commoner label is right for "
        f"{percent(guessing_accuracy(metrics))}; giving every image the share of tumours as its "
        f"probability has a log loss of {guessing_log_loss(metrics):.3f}."
    )
    threshold = inputs.threshold
    figures = (
        material.figure(
            "confusion_matrix",
            displays.ConfusionMatrixDisplay.from_predictions(
                material.labels, material.scores, threshold=threshold
            ),
            "Read along a row: of the images of one class, how many were called what. The frame "
            "marks right calls; the other two cells are the errors. (Figure 3 of the paper)",
        ),
        material.figure(
            "classification_report",
            displays.ClassificationReportDisplay.from_predictions(
                material.labels, material.scores, threshold=threshold
            ),
            "Recall of a class: how many of its images were found. Precision: how many calls of "
            "it were right. Recall of “tumour” is sensitivity, of “no tumour” specificity. "
            "(Figure 4 of the paper)",
        ),
    )
    header = ("", "Figure (95 % interval)", "What it says", "Interval by")
    grid = f'<div class="grid">{"".join(figures)}</div>'
    return table_html(header, rows) + _p(guess) + grid


def errors(material: Material) -> str:
    """Return the most confident errors as thumbnails, or as a table without pixels."""
    scores, labels = material.mean_scores, material.labels
    threshold = material.inputs.threshold
    wrong = np.flatnonzero((scores >= threshold) != (labels == 1))
    if not len(wrong):
        return _p("No image was called wrong. With few images that is no proof: see the interval.")
    sureness = np.where(labels == 1, 1 - scores, scores)
    wrong = wrong[np.argsort(-sureness[wrong], kind="stable")]
    missed = int(labels[wrong].sum())
    many = f" The {MOST_ERRORS} most confident are shown." if len(wrong) > MOST_ERRORS else ""
    by_mean = " (by the mean probability over repeats)" if material.metrics.repeats > 1 else ""
    words = _p(
        f"{len(wrong)} of {len(labels)} images were called wrong{by_mean}: {missed} tumours "
        f"missed, {len(wrong) - missed} false alarms.{many} The surest error comes first. Look for "
        "what they have in common, and whether the label itself may be wrong: report doubts about "
        "a label, do not change it silently."
    )
    rows = [(index, _caption(material, index)) for index in wrong[:MOST_ERRORS].tolist()]
    pixels = material.inputs.pixels
    if pixels is None:
        table = [(material.inputs.paths[index], caption) for index, caption in rows]
        return words + table_html(("Image", "Reference standard and probability of tumour"), table)
    tiles = "".join(_thumbnail(material, index, caption) for index, caption in rows)
    return words + f'<div class="thumbs">{tiles}</div>'


def _caption(material: Material, index: int) -> str:
    truth = "is tumour" if material.labels[index] else "is no tumour"
    return f"{truth}, model says {percent(float(material.mean_scores[index]), 0)} tumour"


def _thumbnail(material: Material, index: int, caption: str) -> str:
    path = material.inputs.paths[index]
    picture = '<div style="width:112px;height:112px;background:#000"></div>'
    try:
        assert material.inputs.pixels is not None
        uri = grey_uri(material.inputs.pixels(index))
        picture = f'<img src="{uri}" alt="{escape(path, quote=True)}, {escape(caption)}">'
    except TumorscopeError:
        caption += " (file can no longer be read)"
    return (
        f"<figure>{picture}<figcaption><b>{escape(PurePath(path).name)}</b><br>"
        f"{escape(caption)}</figcaption></figure>"
    )


def threshold_curves(material: Material) -> str:
    """Return ROC, precision-recall and the distribution of probabilities."""
    labels, scores, inputs = material.labels, material.scores, material.inputs
    drawn = []
    if material.both_classes:
        drawn.append(material.figure(
            "roc",
            displays.RocCurveDisplay.from_predictions(
                labels, scores, groups=inputs.groups, threshold=inputs.threshold
            ),
            "Each point is a threshold: tumours found (up) against false alarms (right). The "
            "nearer to the upper left corner, the better; the dotted diagonal is guessing. The "
            "diamond is the threshold in use. (Figure 7 of the paper)",
        ))  # fmt: skip
        drawn.append(material.figure(
            "precision_recall",
            displays.PrecisionRecallDisplay.from_predictions(labels, scores),
            "How many tumour calls are right (up) while more tumours are found (right). The dotted "
            "line is guessing; it sinks with the share of tumours, and so does the curve. (Figure "
            "8 of the paper)",
        ))  # fmt: skip
    drawn.append(material.figure(
        "score_distribution",
        displays.ScoreDistributionDisplay.from_predictions(
            labels, scores, threshold=inputs.threshold
        ),
        "Tumour images point up, tumour-free ones down. Errors are bars on the wrong side of the "
        "broken line: above it on the left (missed), below it on the right (false alarms). "
        "(Figure 9 of the paper)",
    ))  # fmt: skip
    lacking = "" if material.both_classes else _p(
        "ROC and precision-recall curves are not drawn: they need images of both classes."
    )  # fmt: skip
    return lacking + f'<div class="grid">{"".join(drawn)}</div>'


def by_source(material: Material) -> str:
    """Return the table of figures by source, where there are several."""
    parts = material.metrics.per_source
    if not parts:
        return ""
    names = ("accuracy", "auc", "sensitivity", "specificity")
    rows = [
        (source, f"{part.n} ({part.n_positive} tumour)",
         *(shown(name, part.metrics[name], short=True) for name in names))
        for source, part in sorted(
            parts.items(), key=lambda item: item[1].metrics["accuracy"].value or 0.0
        )
    ]  # fmt: skip
    return _p(
        "The worst comes first. A dash: the source has no images of the class that the figure needs."
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
                f"{_percent(value)} ({_percent(bottom)} to {_percent(top)})"
                for value, bottom, top in zip(estimate, low, high, strict=True)
            )))  # fmt: skip
    share = percent(material.metrics.n_positive / material.metrics.n, 0)
    table = (
        _p(f"Here {share} of the images show a tumour; where people are scanned it is far fewer. "
           "With the same sensitivity and specificity, these shares of calls would be right. In "
           "brackets: both figures at the low, and at the high end of their intervals.")
        + table_html(("Share of tumours among the scanned", "Tumour calls that are right (PPV)",
                      "No-tumour calls that are right (NPV)"), rows)
        + _p("A no-tumour call is not a clean bill of health.")
        if rows
        else _p("Predictive values elsewhere need both sensitivity and specificity.")
    )  # fmt: skip
    return f'<div class="grid"><div>{figure}</div><div><h3>In the clinic</h3>{table}</div></div>'


Values = tuple[float | None, float | None]


def values_at(metrics: Metrics, prevalence: float) -> tuple[Values, Values, Values] | None:
    """Return PPV and NPV at a share of tumours: estimate, cautious low, hopeful high; or None."""
    sensitivity, specificity = metrics.metrics["sensitivity"], metrics.metrics["specificity"]
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
        "phase changes. (Figure 5 of the paper)",
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
        return _p(f"The images can no longer be read: {error}")
    return material.figure(
        "samples",
        display,
        "Drawn by lot, not chosen; the highest probability comes first. Above: the reference "
        "standard; below: the model's probability of a tumour. Wrong calls have a frame and the "
        "word WRONG. (Figure 6 of the paper)",
    )


def data(material: Material) -> str:
    """Return what is known of the cohort and of its labels."""
    how = {
        "grouped": "Near-duplicates and images of one patient, as far as known, were kept on one "
        "side of the split.",
        "random": "The split ignored near-duplicates and patients, so training images resemble "
        "testing images more than new patients would.",
    }[material.metrics.split]
    reference = (
        "The reference standard is the class folder or the label column that came with the images. "
        "This program does not know who read them, how, or whether pathology agreed; labels that "
        "are wrong count as errors of the model, or hide them."
    )
    table = _facts(material.inputs.cohort) if material.inputs.cohort else ""
    return table + _p(reference) + _p(how)


def sample_size(material: Material) -> str:
    """Return what the number of images permits to say."""
    metrics = material.metrics
    accuracy = metrics.metrics["accuracy"]
    if not isinstance(accuracy, Interval):
        return ""
    p = min(max(accuracy.value, 0.05), 0.95)
    needed = int(np.ceil(p * (1 - p) * (1.96 / 0.03) ** 2))
    words = (
        f"If the same test were repeated on {metrics.n} other images of the same kind, intervals "
        "made this way would hold the true accuracy 95 times in 100. Here the interval reaches "
        f"{100 * (accuracy.value - accuracy.low):.1f} points below and "
        f"{100 * (accuracy.high - accuracy.value):.1f} above. To know the accuracy to within 3 "
        f"points takes about {needed} independent images; here are {metrics.n}, in "
        f"{metrics.n_groups} groups. The intervals do not cover what was not sampled: other "
        "hospitals, other scanners, another training run with another seed."
    )
    grouped = [
        (NAMES[name], shown(name, metrics.metrics[name]), shown(name, found))
        for name, found in metrics.by_group.items()
    ]
    header = ("", "Images as the unit", "Groups as the unit (resampled)")
    return _p(words) + table_html(header, grouped) + _p(
        "Where the right-hand interval is wider, near-duplicates made the left-hand one too narrow. "
        "Near 0 and 1 and with few images resampling is too narrow itself: trust the wider of "
        "the two."
    )  # fmt: skip


def robustness(material: Material) -> str:
    """Return what was not measured."""
    sources = material.metrics.per_source
    several = (
        f"Figures by source are given above for {len(sources)} sources. "
        if sources
        else "All images come from one source, so nothing is known of other hospitals or scanners. "
    )
    return _p(
        several + "Not measured here: changes of contrast, noise, resolution, rotation or "
        "cropping; sequences and planes apart; skull-stripped images; agreement between training "
        "runs with different seeds; effect on readers or patients. No statement on these follows "
        "from this report."
    )


def making(material: Material) -> str:
    """Return the workflow, the layers and the recipe."""
    inputs = material.inputs
    html = material.figure(
        "workflow",
        displays.WorkflowDisplay.from_recipe(inputs.recipe, split=inputs.split),
        "From the folder of scans to this report; follow the arrows. (Figure 1 of the paper)",
    )
    if inputs.model_summary:
        html += material.figure(
            "model_summary",
            displays.ModelSummaryDisplay.from_layers(inputs.model_summary),
            "The layers of the network, what comes out of each (None stands for the number of "
            "images), and how many numbers it learns. (Figure 2 of the paper)",
        )
    if inputs.recipe:
        text = escape(recipe_text(inputs.recipe))
        html += f"<details><summary>The recipe</summary><pre>{text}</pre></details>"
    return html


def availability(material: Material) -> str:
    """Return how to reproduce the figures."""
    inputs = material.inputs
    html = ""
    if inputs.command:
        html += f"<p>To reproduce: <code>{escape(inputs.command)}</code></p>"
    if inputs.facts:
        html += _facts(inputs.facts)
    if not html:
        html = _p("Neither command nor versions were recorded: these figures cannot be reproduced.")
    return html


def recipe_text(recipe: Mapping[str, object]) -> str:
    """Return a nested mapping as text that reads like TOML."""
    plain = [
        f"{key} = {value!r}" for key, value in recipe.items() if not isinstance(value, Mapping)
    ]
    tables = [
        f"[{key}]\n{recipe_text(value)}"
        for key, value in recipe.items()
        if isinstance(value, Mapping)
    ]
    return "\n\n".join([*(["\n".join(plain)] if plain else []), *tables])


def _facts(facts: Mapping[str, str]) -> str:
    return table_html(("", ""), [(key, value) for key, value in facts.items()])


def _percent(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _p(text: str) -> str:
    return f"<p>{escape(text)}</p>"
