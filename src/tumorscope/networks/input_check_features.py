"""Is this a brain MRI slice? Where the features of such slices lie, and how far others are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_AXES = 128
PASSING = 0.98
"""Share of held-out brain MRI that the limit lets pass."""

REFUSING = 0.99
"""Share of the pictures of other things that lie beyond what counts as their near edge."""

ROOM = 0.75
"""How far towards them the limit goes."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpace:
    """A Gaussian around the directions of pooled features: some axes, even noise on the others.

    With u the features divided by their length,
    ``distance² = (Σ_k (axis_k · (u − mean))² / variance_k + ‖rest of u − mean‖² / noise) / c``:
    the Mahalanobis distance of probabilistic PCA (Tipping & Bishop 1999) per channel. Directions
    instead of features, because their length varies more among brains than between brains and
    other images.

    Attributes
    ----------
    mean : ndarray of float32, shape (c,)
        Of the directions.
    axes : ndarray of float32, shape (c, k)
        Orthonormal columns.
    variances : ndarray of float32, shape (k,)
        Along the axes.
    noise : float
        Variance along every other direction.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    variances: NDArray[np.float32]
    noise: float

    @classmethod
    def fit(cls, features: NDArray[np.float64]) -> FeatureSpace:
        """Fit to pooled features (n, c): half as many axes as images, at most 128."""
        units = _directions(features)
        mean = units.mean(axis=0)
        _, lengths, rows = np.linalg.svd(units - mean, full_matrices=False)
        variances = lengths**2 / max(1, len(units) - 1)
        k = max(1, min(MOST_AXES, len(units) // 2, features.shape[1] - 1))
        noise = float(variances[k:].sum() / (features.shape[1] - k))
        floor = max(noise, 1e-9)
        return cls(
            mean=mean.astype(np.float32),
            axes=rows[:k].T.astype(np.float32),
            variances=np.maximum(variances[:k], floor).astype(np.float32),
            noise=floor,
        )

    def distances(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance of each image from its pooled features (n, c); float64 (n,).

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> brains = rng.normal([9, 1, 1, 1], 0.5, (40, 4))
        >>> space = FeatureSpace.fit(brains)
        >>> near, far = space.distances(np.array([[9.0, 1, 1, 1], [1.0, 9, 1, 1]]))
        >>> bool(near < 1 < far)
        True
        """
        apart = _directions(features) - self.mean
        squares = (apart @ self.axes) ** 2
        inside = (squares * (1.0 / self.variances - 1.0 / self.noise)).sum(axis=1)
        whole = (apart**2).sum(axis=1) / self.noise
        values: NDArray[np.float64] = np.sqrt(np.maximum(inside + whole, 0.0) / features.shape[1])
        return values


def held_out_distances(
    features: NDArray[np.float64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return each image's distance from a space that was fitted without its fold."""
    distances = np.empty(len(features))
    for fold in np.unique(folds):
        inside = folds == fold
        distances[inside] = FeatureSpace.fit(features[~inside]).distances(features[inside])
    return distances


def limit_of(brains: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return the distance beyond which an image is refused.

    At least the distance that `PASSING` of held-out brain MRI does not exceed. Brain MRI from
    another site lies further away than what was held out, so where the nearest pictures of other
    things leave room, the limit lies three quarters of the way towards them.

    Parameters
    ----------
    brains : ndarray of float64, shape (n,)
        Distances of held-out brain MRI.
    others : ndarray of float64, shape (m,)
        Distances of pictures that are none.

    Examples
    --------
    >>> brains = np.linspace(0.01, 1.0, 100)
    >>> round(limit_of(brains, np.full(9, 3.0)), 3)  # three quarters of the way from 0.99
    2.497
    >>> round(limit_of(brains, np.full(9, 0.2)), 3)  # no room between them
    0.99
    """
    low = float(np.quantile(brains, PASSING, method="higher"))
    high = float(np.quantile(others, 1.0 - REFUSING, method="lower"))
    return low + max(0.0, ROOM * (high - low))


def _directions(features: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    units: NDArray[np.float64] = features / np.maximum(lengths, 1e-6)
    return units
