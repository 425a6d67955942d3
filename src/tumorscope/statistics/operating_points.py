"""The probability from which an image is called a tumour: three policies for choosing it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WANTED = 0.95

POLICIES = {
    "balanced": "largest sensitivity + specificity (Youden's J)",
    "screening": f"sensitivity of {WANTED:.2f} or more",
    "specific": f"specificity of {WANTED:.2f} or more",
}


def choose_threshold(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], *, policy: str
) -> float:
    """Return the threshold that follows a policy on these scores.

    Thresholds lie half-way between neighbouring scores, so that none depends on a last digit.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1, both present.
    probabilities : ndarray of shape (n,)
        Probability of tumour.
    policy : {"balanced", "screening", "specific"}
        Of several thresholds that serve "balanced" equally the one nearest to 0.5 is taken;
        "screening" takes the highest that keeps the sensitivity, "specific" the lowest that keeps
        the specificity.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([0.1, 0.25, 0.75, 0.9])
    >>> choose_threshold(np.array([0, 0, 1, 1]), scores, policy="balanced")
    0.5
    """
    values = np.unique(probabilities)
    cuts = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0]])
    positives = np.sort(probabilities[labels == 1])
    negatives = np.sort(probabilities[labels == 0])
    sensitivity = 1.0 - np.searchsorted(positives, cuts, side="left") / len(positives)
    specificity = np.searchsorted(negatives, cuts, side="left") / len(negatives)
    if policy == "screening":
        return float(cuts[sensitivity >= WANTED].max())
    if policy == "specific":
        return float(cuts[specificity >= WANTED].min())
    sums = sensitivity + specificity
    best = cuts[sums >= sums.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])
