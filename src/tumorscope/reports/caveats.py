"""What should make a reader careful, in plain sentences, worst first."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from tumorscope.reports.page import render
from tumorscope.statistics.baselines import base_rate_log_loss, no_information_rate
from tumorscope.statistics.metrics import Metrics

RANDOM_SPLIT = (
    "The images were split at random, without keeping near-duplicates and images of one patient "
    "together. Wherever such copies exist, testing images were seen in training: these results "
    "leak and are too good. Use the grouped split, except to compare with papers that did this."
)

CONFIDENT = 0.9
"""A wrong call at this probability or more is a confident error."""


def caveats(
    metrics: Metrics, *, labels: NDArray[np.int64], mean_scores: NDArray[np.float64]
) -> list[str]:
    """Return sentences on what weakens these results; the worst come first.

    Parameters
    ----------
    metrics : Metrics
        The results.
    labels : ndarray of shape (n,)
        Reference standard.
    mean_scores : ndarray of shape (n,) or (n, classes)
        Probabilities averaged over repeats.

    Examples
    --------
    >>> import numpy as np
    >>> from tumorscope.statistics.two_classes import evaluate_scores
    >>> scores = np.array([0.9, 0.8, 0.7])
    >>> metrics = evaluate_scores([1, 1, 1], scores, groups=range(3))
    >>> caveats(metrics, labels=np.ones(3, int), mean_scores=scores)[0][:30]
    'Every image here has a tumour.'
    """
    two = metrics.two_classes
    wrong = (labels == 1, mean_scores <= 1 - CONFIDENT), (labels == 0, mean_scores >= CONFIDENT)
    missed, alarms = (int((which & sure).sum()) if two else 0 for which, sure in wrong)
    text = render(
        "reports/caveats.md",
        metrics=metrics,
        two=two,
        counts=metrics.answer_counts,
        least_answered=_least_answered(metrics),
        random_split=RANDOM_SPLIT,
        both_classes=0 < metrics.n_positive < metrics.n,
        guess={"accuracy": no_information_rate(metrics), "log_loss": base_rate_log_loss(metrics)},
        confident=CONFIDENT,
        missed=missed,
        alarms=alarms,
        single_class=[
            name for name, part in metrics.per_source.items() if part.n_positive in (0, part.n)
        ],
        worst=_worst_source(metrics),
    )
    # Where the lines of the template break does not matter; its paragraphs do.
    paragraphs = (re.sub(r"[ \n]+", " ", each).strip() for each in text.split("\n\n"))
    return [each for each in paragraphs if each]


def _least_answered(metrics: Metrics) -> float:
    """Return the share of answers for the class that gets fewer: the mean hides it."""
    if metrics.answered is None:
        return 1.0
    pairs = zip(metrics.answered.n_of_class, metrics.n_of_class, strict=True)
    return min((few / every for few, every in pairs if every), default=1.0)


def _worst_source(metrics: Metrics) -> dict[str, object] | None:
    """Return name, images and accuracy of the source on which the accuracy is lowest."""
    found = [
        (part.metrics["accuracy"].value, name, part.n) for name, part in metrics.per_source.items()
    ]
    known = [(value, name, n) for value, name, n in found if value is not None]
    if not known:
        return None
    value, name, n = min(known, key=lambda each: each[0])
    return {"accuracy": value, "name": name, "n": n}
