"""Which figures a report has, drawn into its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tumorscope.common.errors import TumorscopeError
from tumorscope.reports import displays
from tumorscope.reports.displays.per_class import PerClassDisplay
from tumorscope.reports.drawing import Display, draw
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.picture import Picture
from tumorscope.statistics import Interval
from tumorscope.statistics.metrics import Metrics

FIGURES = (
    "workflow", "model_summary", "confusion_matrix", "classification_report", "training_curves",
    "samples", "roc", "precision_recall", "score_distribution", "reliability", "folds", "per_class",
)  # fmt: skip
"""Names of the files under figures/, without ``.png`` and ``.svg``."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The figures of a report.

    Attributes
    ----------
    pictures : dict of str to Picture
        By name, without captions: these are in the template.
    samples_gone : str
        Why the images can no longer be shown, where that is so.
    """

    pictures: dict[str, Picture]
    samples_gone: str = ""


def draw_figures(inputs: ReportInputs, metrics: Metrics, folder: Path) -> Drawn:
    """Draw every figure that these inputs allow, as PNG and SVG, and remove the others."""
    pictures: dict[str, Picture] = {}
    samples_gone = ""
    for name, make in _displays(inputs, metrics).items():
        try:
            display = make()
        except TumorscopeError as error:
            if name != "samples":
                raise
            samples_gone = str(error)
        else:
            pictures[name] = draw(display, "", stem=folder / name)
    for name in set(FIGURES) - set(pictures):  # of an earlier report
        for suffix in (".png", ".svg"):
            (folder / f"{name}{suffix}").unlink(missing_ok=True)
    return Drawn(pictures, samples_gone)


def _displays(inputs: ReportInputs, metrics: Metrics) -> dict[str, Callable[[], Display]]:
    found: dict[str, Callable[[], Display]] = {
        "confusion_matrix": lambda: displays.ConfusionMatrixDisplay.from_metrics(metrics)
    }
    if inputs.two_classes:
        found |= _of_two_classes(inputs, metrics)
    else:
        found["per_class"] = lambda: PerClassDisplay(metrics)
    if inputs.two_classes or inputs.recipe:
        found["workflow"] = lambda: displays.WorkflowDisplay.from_recipe(
            inputs.recipe,
            split=inputs.made_by or inputs.split,
            images=inputs.split_sizes,
            folds=inputs.protocol,
        )
    history, layers = inputs.history, inputs.model_summary
    if history:
        found["training_curves"] = lambda: displays.TrainingCurvesDisplay.from_history(history)
    if layers:
        found["model_summary"] = lambda: displays.ModelSummaryDisplay.from_layers(layers)
    return found


def _of_two_classes(inputs: ReportInputs, metrics: Metrics) -> dict[str, Callable[[], Display]]:
    labels, scores, threshold = inputs.labels, inputs.columns, inputs.threshold
    folds, pixels = inputs.folds, inputs.pixels
    found: dict[str, Callable[[], Display]] = {
        "classification_report": lambda: displays.ClassificationReportDisplay.from_predictions(
            labels, scores, threshold=threshold
        ),
        "score_distribution": lambda: displays.ScoreDistributionDisplay.from_predictions(
            labels, scores, threshold=threshold
        ),
        "reliability": lambda: displays.ReliabilityDisplay.from_predictions(labels, scores),
    }
    if 0 < metrics.n_positive < metrics.n:
        found["roc"] = lambda: _roc(inputs, metrics)
        found["precision_recall"] = lambda: displays.PrecisionRecallDisplay.from_predictions(
            labels, scores
        )
    if folds is not None:
        found["folds"] = lambda: displays.FoldDisplay.from_predictions(
            labels, scores, folds=folds, threshold=threshold
        )
    if pixels is not None:
        found["samples"] = lambda: displays.SampleGridDisplay.from_predictions(
            labels, scores, pixels=pixels, paths=inputs.paths, threshold=threshold
        )
    return found


def _roc(inputs: ReportInputs, metrics: Metrics) -> Display:
    curve = displays.RocCurveDisplay.from_predictions(
        inputs.labels, inputs.columns, groups=inputs.groups, threshold=inputs.threshold
    )
    shown_above = metrics.cautious("auc")
    if isinstance(shown_above, Interval):
        curve.auc = shown_above
    return curve
