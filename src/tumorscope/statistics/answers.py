"""What a detector did with images beside scoring them: answered, abstained, refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.model_file.decision import ABSTAINED
from tumorscope.statistics import wilson
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.two_classes import evaluate_scores

RAW_THRESHOLD = 0.5
"""Where papers call a network's own score a tumour."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Of the detector whose probabilities are the scores of a report.

    Attributes
    ----------
    model, operating_point : str
        Id of the model file, and what decides.
    zone : tuple of float
        Between which probabilities it abstains.
    raw : ndarray of float64, shape (n,)
        The network's own score of each image, before calibration, 0..1.
    answers : ndarray of int8, shape (n,)
        1 tumour, 0 no tumour, `ABSTAINED` none; as if nothing were refused.
    refused : ndarray of bool, shape (n,)
        Whether the input check refuses the image.
    """

    model: str
    operating_point: str
    zone: tuple[float, float]
    raw: NDArray[np.float64]
    answers: NDArray[np.int8]
    refused: NDArray[np.bool_]

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which images get an answer."""
        answered: NDArray[np.bool_] = (self.answers != ABSTAINED) & ~self.refused
        return answered


def with_answers(
    metrics: Metrics,
    answers: Answers,
    *,
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    groups: NDArray[np.str_],
    n_resamples: int = 2000,
) -> Metrics:
    """Return the metrics of a detector's probabilities, with those of its answers beside them.

    Parameters
    ----------
    metrics : Metrics
        Of all images, called by the threshold.
    answers : Answers
        Of the same images.
    labels, scores, groups : ndarray of shape (n,)
        As `metrics` was made from.
    n_resamples : int
        Bootstrap resamples.
    """
    assert metrics.threshold is not None  # a detector has two classes
    n, answered = len(labels), answers.answered
    among = None
    if answered.any():
        among = evaluate_scores(
            labels[answered],
            scores[answered],
            groups=groups[answered],
            threshold=metrics.threshold,
            split=metrics.split,
            n_resamples=n_resamples,
        )
    return replace(
        metrics,
        raw=evaluate_scores(
            labels,
            answers.raw,
            groups=groups,
            threshold=RAW_THRESHOLD,
            split=metrics.split,
            n_resamples=n_resamples,
        ),
        answered=among,
        abstained=wilson(int((~answered & ~answers.refused).sum()), n),
        refused=wilson(int(answers.refused.sum()), n),
    )
