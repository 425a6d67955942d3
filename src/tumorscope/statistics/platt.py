"""Logits → probabilities that mean what they say: slope and intercept from held-out scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError

CLIP = 1e-7


def logit(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(p / (1 − p)) of probabilities clipped to [1e-7, 1 − 1e-7]."""
    clipped = np.clip(probabilities, CLIP, 1 - CLIP)
    values: NDArray[np.float64] = np.log(clipped) - np.log1p(-clipped)
    return values


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(−x)), without overflow."""
    values: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return values


def fit_calibration(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> tuple[float, float]:
    """Fit ``probability = sigmoid(slope · logit + intercept)`` by maximum likelihood.

    Labels are smoothed as Platt does, so that scores which separate the classes perfectly do not
    lead to an infinite slope.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1, both present.
    logits : ndarray of shape (n,)
        Of images that the network was not fitted on.

    Returns
    -------
    tuple of float
        Slope (above 0; 1 / slope is the temperature) and intercept.

    Raises
    ------
    InputError
        If a class is missing.

    References
    ----------
    J. Platt, Advances in Large Margin Classifiers (1999) 61-74; C. Guo et al., ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([0, 0, 1, 0, 1, 1])
    >>> slope, intercept = fit_calibration(labels, np.array([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0]))
    >>> slope > 0
    True
    """
    from scipy.optimize import minimize

    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        raise InputError(
            f"Calibration received scores of {positives} images with tumour and {negatives} "
            "without. Expected both. Give the scores of a cohort that holds both."
        )
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope = np.exp(parameters[0])
        values = slope * logits + parameters[1]
        gaps = sigmoid(values) - targets
        slopes = np.array([np.mean(gaps * logits) * slope, np.mean(gaps)])
        return float(np.mean(np.logaddexp(0.0, values) - targets * values)), slopes

    # Bounds keep scores that do not tell the classes apart from ending in a slope of zero.
    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-4, 4), (-20, 20)])
    return float(np.exp(found.x[0])), float(found.x[1])
