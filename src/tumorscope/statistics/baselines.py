"""What one gets without looking at a single image."""

from __future__ import annotations

from math import log

from tumorscope.statistics.metrics import Metrics


def no_information_rate(metrics: Metrics) -> float:
    """Return the accuracy of giving every image the commonest label.

    Examples
    --------
    >>> from tumorscope.statistics.two_classes import evaluate_scores
    >>> no_information_rate(evaluate_scores([1, 1, 1, 0], [0.5] * 4, groups=range(4)))
    0.75
    """
    return max(metrics.n_of_class) / metrics.n


def base_rate_log_loss(metrics: Metrics) -> float:
    """Return the log loss of giving every image the share of each class as its probability.

    Examples
    --------
    >>> from tumorscope.statistics.two_classes import evaluate_scores
    >>> round(base_rate_log_loss(evaluate_scores([1, 0], [0.5, 0.5], groups=range(2))), 3)
    0.693
    """
    shares = (count / metrics.n for count in metrics.n_of_class)
    return sum(-share * log(share) for share in shares if share > 0)
