"""The results of several classes in a report."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path

import numpy as np

from tumorscope.reports import Section, figure_html, table_html
from tumorscope.reports.displays.confusion import ConfusionMatrixDisplay
from tumorscope.reports.displays.per_class import PerClassDisplay
from tumorscope.reports.drawing import draw
from tumorscope.reports.html import gallery_html, paragraph
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.picture import Picture
from tumorscope.reports.text import shown, shown_apart
from tumorscope.statistics.metrics import NAMES, OF_ALL_CLASSES, Metrics
from tumorscope.statistics.several_classes import OF_EACH_CLASS

SURE_ERRORS = 12
"""Errors that are shown, the surest first."""


def lead(metrics: Metrics) -> str:
    """Return the first paragraph."""
    return ("" if metrics.copies is None else paragraph(metrics.copies.words())) + _lead(metrics)


def class_sections(inputs: ReportInputs, metrics: Metrics, figures: Path) -> list[Section]:
    """Return the sections of a report on several classes."""
    sections = [
        Section("Results", _results(metrics, figures)),
        Section("Each class", _each_class(metrics, figures)),
        Section("Surest errors", _errors(inputs)),
        Section("Facts", _facts(inputs)),
    ]
    return [section for section in sections if section.html]


def _lead(metrics: Metrics) -> str:
    accuracy = metrics.metrics["accuracy"]
    figure = shown("accuracy", accuracy)
    return (
        f"<p>Accuracy over {len(metrics.classes)} classes: <strong>{figure}</strong>, 95 % "
        f"interval, {metrics.n} images in {metrics.n_groups} groups.</p>"
    )


def _results(metrics: Metrics, figures: Path) -> str:
    rows = [
        [OF_ALL_CLASSES[name], *shown_apart(name, found)] for name, found in metrics.metrics.items()
    ]
    picture = draw(
        ConfusionMatrixDisplay.from_metrics(metrics),
        "Reference standard by call: counts, and shares of each row.",
        stem=figures / "confusion_matrix",
    )
    return table_html(("", "value", "95 % interval"), rows, numeric=(1, 2)) + figure_html(picture)


def _each_class(metrics: Metrics, figures: Path) -> str:
    rows = [
        [name, str(count), NAMES[metric], *shown_apart(metric, metrics.per_class[name][metric])]
        for name, count in zip(metrics.classes, metrics.n_of_class, strict=True)
        for metric in OF_EACH_CLASS
    ]
    picture = draw(
        PerClassDisplay(metrics),
        "Each class against all others; intervals from resampling groups.",
        stem=figures / "per_class",
    )
    return figure_html(picture) + table_html(
        ("class", "images", "", "value", "95 % interval"), rows, numeric=(1, 3, 4)
    )


def _errors(inputs: ReportInputs) -> str:
    scores = inputs.mean_scores
    assert inputs.pixels is not None
    calls = scores.argmax(axis=1)
    wrong = np.flatnonzero(calls != inputs.labels)
    surest = sorted(wrong.tolist(), key=lambda index: -scores[index].max())[:SURE_ERRORS]
    if not surest:
        return "<p>None.</p>"
    pictures = [
        Picture.of_scan(
            partial(inputs.pixels, index),
            inputs.paths[index],
            f"{inputs.classes[inputs.labels[index]]}, called {inputs.classes[calls[index]]} "
            f"({scores[index].max():.2f})",
        )
        for index in surest
    ]
    return (
        f"<p>{len(wrong)} of {len(scores)} images are called another class than the reference "
        f"standard says; the surest {len(surest)}:</p>"
    ) + gallery_html(pictures)


def _facts(inputs: ReportInputs) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in inputs.notes)
    rows = [[name, value] for name, value in (*inputs.cohort.items(), *inputs.facts.items())]
    return (
        (f"<ul>{notes}</ul>" if notes else "")
        + table_html(("", ""), rows)
        + (f"<p>To reproduce:</p><pre>{escape(inputs.command)}</pre>" if inputs.command else "")
    )
