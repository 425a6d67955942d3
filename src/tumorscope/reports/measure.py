"""What a report is made from → what it says: the metrics, by two classes or by several."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.reports.inputs import ReportInputs
from tumorscope.statistics.answers import with_answers
from tumorscope.statistics.copies import Copies
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.several_classes import evaluate_classes
from tumorscope.statistics.two_classes import evaluate_scores


def measure(inputs: ReportInputs) -> Metrics:
    """Return every metric of the images that a report is on.

    Raises
    ------
    InputError
        If labels, scores, groups or paths do not fit together.
    """
    if len(inputs.paths) != len(inputs.labels):
        raise InputError(
            f"Received {len(inputs.paths)} paths for {len(inputs.labels)} labels. Expected one "
            "path per scored image."
        )
    metrics = _of_two(inputs) if inputs.two_classes else _of_several(inputs)
    metrics = replace(metrics, external=inputs.external)
    if inputs.copied is None or inputs.split != "random":
        return metrics
    return replace(metrics, copies=Copies.among(inputs.copied, _right(inputs)))


def _of_two(inputs: ReportInputs) -> Metrics:
    n_resamples = inputs.n_resamples or 2000
    metrics = evaluate_scores(
        inputs.labels,
        inputs.scores,
        groups=inputs.groups,
        sources=inputs.sources,
        threshold=inputs.threshold,
        split=inputs.split,
        n_resamples=n_resamples,
    )
    if inputs.answers is None:
        return metrics
    return with_answers(
        metrics,
        inputs.answers,
        labels=inputs.labels,
        scores=inputs.columns[:, 0],
        groups=inputs.groups,
        n_resamples=n_resamples,
    )


def _of_several(inputs: ReportInputs) -> Metrics:
    return evaluate_classes(
        inputs.labels,
        inputs.scores,
        classes=inputs.classes,
        groups=inputs.groups,
        split=inputs.split,
        n_resamples=inputs.n_resamples or 1000,
    )


def _right(inputs: ReportInputs) -> NDArray[np.bool_]:
    """Return which calls agree with the reference standard, bool (n, repeats)."""
    calls = (
        inputs.columns.argmax(axis=2)
        if not inputs.two_classes
        else (inputs.columns >= inputs.threshold)
    )
    return np.asarray(calls == inputs.labels[:, None])
