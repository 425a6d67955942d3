"""An evaluation of several tumour types → report.html, metrics.json and figures/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.files import output_folder, write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.reports import Section, figure_html, table_html, write_page
from tumorscope.reports.caveats import RANDOM_SPLIT
from tumorscope.reports.displays.tumour_types import PerClassDisplay, TypeConfusionDisplay
from tumorscope.reports.drawing import draw
from tumorscope.reports.html import gallery_html, paragraph
from tumorscope.reports.picture import Picture
from tumorscope.reports.text import shown
from tumorscope.statistics.class_metrics import OVERALL, PER_CLASS, TypeMetrics, words
from tumorscope.statistics.class_metrics import evaluate_types as measure
from tumorscope.statistics.copies import Copies
from tumorscope.statistics.metrics import NAMES, Split

SURE_ERRORS = 12
"""Errors that are shown, the surest first."""


@dataclass(frozen=True, kw_only=True)
class TypeReportInputs:
    """What a report on tumour types is made from.

    Attributes
    ----------
    title : str
        Says what was evaluated; a leaky split is added to it.
    paths : sequence of str
        Name of each image.
    labels : ndarray of int64, shape (n,)
        Positions in `classes`.
    scores : ndarray of float64, shape (n, classes) or (n, repeats, classes)
        Probabilities.
    classes : sequence of str
        Names.
    groups : ndarray of shape (n,)
        What a split must not part.
    split : {"grouped", "random"}
        How training and testing images were parted.
    external : bool
        Whether the images come from elsewhere, so that no split parted them from the training.
    pixels : callable
        Position of an image → its grey pixels, uint8 (height, width).
    facts : mapping of str to str
        Versions, seeds, hashes, counts.
    cohort : mapping of str to str
        Counts of the images.
    notes : sequence of str
        Plain sentences that a reader must know.
    warning : str, optional
        What makes these figures misleading.
    command : str
        Reproduces the evaluation; several commands on a line each.
    copied : ndarray of bool, shape (n,) or (n, repeats), optional
        Which images have a copy among those that their model was trained or tuned on; told where
        the split is random.
    subject : str
        Path of the run or model that was measured, where there is one.
    data_sha256 : str
        Of the images that were scored, with labels and groups.
    """

    title: str
    paths: Sequence[str]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    classes: Sequence[str]
    groups: NDArray[np.str_]
    split: Split
    external: bool = False
    pixels: Callable[[int], NDArray[np.uint8]]
    facts: Mapping[str, str] = field(default_factory=dict)
    cohort: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    warning: str | None = None
    command: str = ""
    subject: str = ""
    copied: NDArray[np.bool_] | None = None
    data_sha256: str = ""


def write_type_report(inputs: TypeReportInputs, folder: Path) -> TypeMetrics:
    """Write ``report.html``, ``metrics.json`` and ``figures/*.png`` into `folder`.

    Raises
    ------
    InputError
        If labels, scores and groups do not fit together.
    OutputError
        If `folder` cannot be written to.
    """
    output_folder(folder / "figures")
    metrics = measure(
        inputs.labels,
        inputs.scores,
        classes=inputs.classes,
        groups=inputs.groups,
        split=inputs.split,
    )
    metrics = replace(metrics, external=inputs.external)
    random = inputs.split == "random"
    copies = None
    if random and inputs.copied is not None:
        columns = inputs.scores if inputs.scores.ndim == 3 else inputs.scores[:, None, :]
        copies = Copies.among(inputs.copied, columns.argmax(axis=2) == inputs.labels[:, None])
    warning = " ".join(filter(None, (inputs.warning, RANDOM_SPLIT if random else None))) or None
    title = inputs.title + (" — random split, leaks" if random else "")
    write_json(
        folder / "metrics.json",
        {
            "notice": RESEARCH_USE_ONLY,
            "title": title,
            "warning": warning,
            **metrics.to_json(),
            "notes": list(inputs.notes),
            "cohort": dict(inputs.cohort),
            "command": inputs.command,
            "subject": inputs.subject,
            "data_sha256": inputs.data_sha256,
            **({} if copies is None else {"copies": copies.to_json()}),
        },
    )
    sections = [
        Section("Results", _results(metrics, folder / "figures")),
        Section("Each class", _each_class(metrics, folder / "figures")),
        Section("Surest errors", _errors(inputs)),
        Section("Facts", _facts(inputs)),
    ]
    write_page(
        folder / "report.html",
        title=title,
        lead=("" if copies is None else paragraph(copies.words())) + _lead(metrics),
        sections=[section for section in sections if section.html],
        warning=warning,
        footer="Every figure is in figures/, every number in metrics.json.",
    )
    return metrics


def _lead(metrics: TypeMetrics) -> str:
    accuracy = metrics.overall["accuracy"]
    figure = shown("accuracy", accuracy)
    return (
        f"<p>Accuracy over {len(metrics.classes)} classes: <strong>{figure}</strong>, 95 % "
        f"interval, {metrics.n} images in {metrics.n_groups} groups.</p>"
    )


def _results(metrics: TypeMetrics, figures: Path) -> str:
    rows = [[OVERALL[name], *_cells(words(found))] for name, found in metrics.overall.items()]
    picture = draw(
        TypeConfusionDisplay(metrics),
        "Reference standard by call: counts, and shares of each row.",
        stem=figures / "confusion_matrix",
    )
    return table_html(("", "value", "95 % interval"), rows, numeric=(1, 2)) + figure_html(picture)


def _each_class(metrics: TypeMetrics, figures: Path) -> str:
    rows = [
        [name, str(count), NAMES[metric], *_cells(words(metrics.per_class[name][metric]))]
        for name, count in zip(metrics.classes, metrics.counts, strict=True)
        for metric in PER_CLASS
    ]
    picture = draw(
        PerClassDisplay(metrics),
        "Each class against all others; intervals from resampling groups.",
        stem=figures / "per_class",
    )
    return figure_html(picture) + table_html(
        ("class", "images", "", "value", "95 % interval"), rows, numeric=(1, 3, 4)
    )


def _cells(text: str) -> list[str]:
    value, _, interval = text.strip().partition("   ")
    return [value, interval]


def _errors(inputs: TypeReportInputs) -> str:
    scores = inputs.scores if inputs.scores.ndim == 2 else inputs.scores.mean(axis=1)
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


def _facts(inputs: TypeReportInputs) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in inputs.notes)
    rows = [[name, value] for name, value in (*inputs.cohort.items(), *inputs.facts.items())]
    return (
        (f"<ul>{notes}</ul>" if notes else "")
        + table_html(("", ""), rows)
        + (f"<p>To reproduce:</p><pre>{escape(inputs.command)}</pre>" if inputs.command else "")
    )
