"""What a recipe reaches on sources it was not trained on, calibrated without them too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.operating_points import choose_threshold
from tumorscope.statistics.platt import fit_calibration, logit, sigmoid
from tumorscope.statistics.two_classes import evaluate_scores


def both_labels(labels: NDArray[np.int64], sources: NDArray[np.str_]) -> list[str]:
    """Return the sources that have images of both labels, sorted.

    Examples
    --------
    >>> import numpy as np
    >>> both_labels(np.array([0, 1, 1]), np.array(["a", "a", "b"]))
    ['a']
    """
    return [
        source for source in np.unique(sources).tolist() if 0 < labels[sources == source].mean() < 1
    ]


def measure_left_out(
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    groups: NDArray[np.str_],
    sources: NDArray[np.str_],
) -> dict[str, Metrics]:
    """Measure each source with a calibration and an operating point chosen on other sources.

    A threshold chosen on a source flatters every result on it, so the "balanced" one (Youden) and
    the calibration come from the other sources that have both labels.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Reference standard: 1 tumour, 0 no tumour.
    scores : ndarray of shape (n,)
        Probability of tumour, each by a model that was trained without the image's source.
    groups, sources : ndarray of shape (n,)
        What belongs together, and where it comes from.

    Returns
    -------
    dict of str to Metrics
        By source, sorted.

    Raises
    ------
    InputError
        If no other source has both labels.
    """
    logits = logit(scores)
    mixed = both_labels(labels, sources)
    found = {}
    for source in np.unique(sources).tolist():
        others = np.isin(sources, [name for name in mixed if name != source])
        if not others.any():
            raise InputError(
                f"No source but {source} has images of both labels; expected another, on which to "
                "choose the operating point. Leave out more sources."
            )
        slope, intercept = fit_calibration(labels[others], logits[others])
        calibrated = sigmoid(slope * logits + intercept)
        threshold = choose_threshold(labels[others], calibrated[others], policy="balanced")
        mine = sources == source
        found[source] = evaluate_scores(
            labels[mine], calibrated[mine], groups=groups[mine], threshold=threshold
        )
    return found
