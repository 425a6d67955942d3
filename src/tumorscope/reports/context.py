"""What the template of an evaluation is given: rows of tables, errors and drawn figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from tumorscope.common.toml_text import toml_text
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.picture import Picture
from tumorscope.reports.published import published_rows
from tumorscope.reports.text import percent, percents, shown, shown_apart
from tumorscope.statistics import Interval
from tumorscope.statistics.baselines import base_rate_log_loss, no_information_rate
from tumorscope.statistics.intervals import trials_needed
from tumorscope.statistics.metrics import ALL_NAMES, NAMES, Metrics
from tumorscope.statistics.prevalence import values_elsewhere
from tumorscope.statistics.wrong_calls import surest_errors

MOST_ERRORS = 24
"""Errors that are shown, the surest first."""

CARDS = ("accuracy", "auc", "sensitivity", "specificity", "log_loss")
"""Metrics on top of a report on two classes; of several, all that are of all classes."""

BESIDE_RAW = ("accuracy", "auc", "log_loss", "sensitivity", "specificity", "ppv", "npv", "f1",
              "brier", "ece")  # fmt: skip
"""Metrics that are shown of the detector and of its network's raw score."""

BY_SOURCE = ("accuracy", "auc", "sensitivity", "specificity")

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
    "balanced_accuracy": "accuracy if every class had as many images",
    "macro_f1": "harmonic mean of sensitivity and positive predictive value, by class",
    "macro_auc": "chance that an image of a class scores above one of another; 0.5 is guessing",
}
"""What each metric says, in words."""

Rows = list[tuple[str, ...]]


def context_of(
    inputs: ReportInputs, metrics: Metrics, *, doubts: list[str], pictures: Mapping[str, Picture]
) -> dict[str, object]:
    """Return what ``reports/evaluation.html`` is given, by name."""
    accuracy = metrics.cautious("accuracy")
    known = accuracy if isinstance(accuracy, Interval) else None
    return {
        "inputs": inputs,
        "metrics": metrics,
        "two": inputs.two_classes,
        "pictures": pictures,
        "names": ALL_NAMES,
        "cards": CARDS if inputs.two_classes else tuple(metrics.metrics),
        "counts": metrics.answer_counts,
        "doubts": doubts,
        "compared": metrics.raw or metrics,
        "published_rows": published_rows(inputs.published, metrics.raw or metrics),
        "result_rows": _results(metrics),
        "baselines": _baselines(metrics),
        "class_rows": _classes(metrics),
        "raw_rows": _raw(metrics),
        "errors": _errors(inputs),
        "source_header": ("Source", "Images", *(NAMES[name] for name in BY_SOURCE)),
        "source_rows": _sources(metrics),
        "prevalence_rows": _prevalences(metrics),
        "accuracy_interval": known,
        "images_needed": trials_needed(known.value, within=0.03) if known else 0,
        "group_rows": [
            (NAMES[name], shown(name, metrics.metrics[name]), shown(name, found))
            for name, found in metrics.by_group.items()
        ],
        "variants": _variants(inputs.recipe),
        "recipe": toml_text(inputs.recipe) if inputs.recipe else "",
    }


@dataclass(frozen=True, slots=True)
class Errors:
    """Images that were called wrong.

    Attributes
    ----------
    count, missed : int
        All of them, and those with a tumour.
    rows : list of (str, str)
        Path of the surest, and what to say of each.
    pictures : list of Picture
        A thumbnail of each of them, where images are at hand.
    """

    count: int
    missed: int
    rows: Rows
    pictures: list[Picture]


def _errors(inputs: ReportInputs) -> Errors:
    threshold = inputs.threshold if inputs.two_classes else None
    wrong = surest_errors(inputs.labels, inputs.mean_scores, threshold=threshold).tolist()
    say, read = _of_two if inputs.two_classes else _of_several, inputs.pixels
    surest = [(index, inputs.paths[index], say(inputs, index)) for index in wrong[:MOST_ERRORS]]
    return Errors(
        count=len(wrong),
        missed=int((inputs.labels[wrong] > 0).sum()),
        rows=[(path, words) for _, path, words in surest],
        pictures=[Picture.of_scan(partial(read, index), path, words)
                  for index, path, words in surest] if read else [],
    )  # fmt: skip


def _of_two(inputs: ReportInputs, index: int) -> str:
    score = percent(float(inputs.mean_scores[index]), 0)
    words = f"is {inputs.classes[inputs.labels[index]]}, model says {score} tumour"
    answers = inputs.answers
    if answers is None or answers.answered[index]:
        return words
    return f"{words} ({'refused' if answers.refused[index] else 'no answer'})"


def _of_several(inputs: ReportInputs, index: int) -> str:
    scores = inputs.mean_scores[index]
    called = inputs.classes[int(np.argmax(scores))]
    return f"{inputs.classes[inputs.labels[index]]}, called {called} ({scores.max():.2f})"


def _results(metrics: Metrics) -> Rows:
    estimates = {name: metrics.cautious(name) for name in metrics.metrics}
    return [
        (ALL_NAMES[name], *shown_apart(name, found), MEANING[name],
         found.method if isinstance(found, Interval) else "")
        for name, found in estimates.items()
    ]  # fmt: skip


def _baselines(metrics: Metrics) -> tuple[float, float] | None:
    if max(metrics.n_of_class) == metrics.n:
        return None  # of one class alone any guess is right
    return no_information_rate(metrics), base_rate_log_loss(metrics)


def _classes(metrics: Metrics) -> Rows:
    return [
        (name, str(count), NAMES[metric], *shown_apart(metric, found))
        for name, count in zip(metrics.classes, metrics.n_of_class, strict=True)
        for metric, found in metrics.per_class.get(name, {}).items()
    ]


def _raw(metrics: Metrics) -> Rows:
    raw = metrics.raw
    if raw is None:
        return []
    rows = [
        (NAMES[name], shown(name, raw.cautious(name)), shown(name, metrics.cautious(name)))
        for name in BESIDE_RAW
    ]
    return [*rows, ("Right / wrong calls", _calls(raw), _calls(metrics))]


def _calls(metrics: Metrics) -> str:
    (tn, fp), (fn, tp) = metrics.confusion
    return f"{tn + tp:g} / {fp + fn:g} ({fn:g} missed, {fp:g} false alarms)"


def _sources(metrics: Metrics) -> Rows:
    worst_first = sorted(
        metrics.per_source.items(), key=lambda item: item[1].metrics["accuracy"].value or 0.0
    )
    return [
        (source, f"{part.n} ({part.n_positive} tumour)",
         *(shown(name, part.cautious(name), short=True) for name in BY_SOURCE))
        for source, part in worst_first
    ]  # fmt: skip


def _prevalences(metrics: Metrics) -> Rows:
    if not metrics.two_classes:
        return []
    return [
        (percent(each.prevalence),
         *(_spread(*values) for values in zip(each.estimate, each.low, each.high, strict=True)))
        for each in values_elsewhere(metrics)
    ]  # fmt: skip


def _spread(value: float | None, low: float | None, high: float | None) -> str:
    return "–" if value is None else f"{percent(value)} ({percents(low, high)})"


def _variants(recipe: Mapping[str, object]) -> int:
    augmentation = recipe.get("augmentation")
    found = augmentation.get("variants") if isinstance(augmentation, Mapping) else None
    return found if isinstance(found, int) else 0
