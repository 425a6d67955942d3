"""Which images were called wrong, the most confident errors first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def surest_errors(
    labels: NDArray[np.int64], scores: NDArray[np.float64], *, threshold: float | None
) -> NDArray[np.intp]:
    """Return the positions of images that were called wrong, the surest first.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Reference standard: positions of classes.
    scores : ndarray of shape (n,) or (n, classes)
        Probability of tumour, or of each class.
    threshold : float, optional
        Scores from it up are called a tumour; None where the class with the highest score is
        called.

    Examples
    --------
    >>> import numpy as np
    >>> labels, scores = np.array([1, 0, 0]), np.array([0.4, 0.9, 0.1])
    >>> surest_errors(labels, scores, threshold=0.5)
    array([1, 0])
    """
    if threshold is None:
        wrong = np.flatnonzero(scores.argmax(axis=1) != labels)
        sureness = scores.max(axis=1)
    else:
        wrong = np.flatnonzero((scores >= threshold) != (labels == 1))
        sureness = np.where(labels == 1, 1 - scores, scores)
    return wrong[np.argsort(-sureness[wrong], kind="stable")]
