"""When to say "the model cannot tell": class-conditional conformal prediction sets."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def fit_quantiles(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    *,
    miscoverage: float,
    repeats: int = 1,
) -> tuple[float, float]:
    """Return for each class how unlikely a label may be and still stay in the prediction set.

    The score of label y is 1 − p(y). With the ``⌈(n + 1)(1 − α)⌉``-th smallest score of the n
    images of a class as its quantile, the set of a new image of that class holds its label with
    probability 1 − α at least, if it comes from where these came from.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        0 or 1.
    probabilities : ndarray of shape (n,)
        Calibrated probability of tumour of images that nothing was fitted on.
    miscoverage : float
        α, between 0 and 1.
    repeats : int
        How often each image occurs, as after a repeated cross-validation.

    Returns
    -------
    tuple of float
        For "no tumour" and for "tumour"; 1, which keeps the label in every set, where a class has
        fewer than 1/α − 1 images.

    References
    ----------
    V. Vovk, Machine Learning 92 (2013) 349-376 (label-conditional); A. Angelopoulos and S. Bates,
    arXiv:2107.07511.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([0] * 9 + [1] * 9)
    >>> scores = np.array([i / 20 for i in range(1, 10)] + [1 - i / 40 for i in range(1, 10)])
    >>> no_tumour, tumour = fit_quantiles(labels, scores, miscoverage=0.1)
    >>> round(no_tumour, 3), round(tumour, 3)
    (0.45, 0.225)
    """
    # Exact, because in floating point 509 / 564 · 564 is a little more than 509.
    alpha = Fraction(str(float(miscoverage)))
    quantiles = []
    for label in (0, 1):
        own = probabilities[labels == label]
        scores = np.sort(own if label == 0 else 1.0 - own)
        images = len(scores) // repeats
        rank = images + 1 - int((images + 1) * alpha)  # ⌈(n + 1)(1 − α)⌉
        # Repeats sharpen the scores' distribution, but the images are no more for it.
        place = -(-rank * len(scores) // images) - 1 if images else 0
        quantiles.append(float(scores[place]) if images and rank <= images else 1.0)
    return quantiles[0], quantiles[1]
