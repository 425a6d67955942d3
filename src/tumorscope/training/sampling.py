"""Which images an epoch shows, so that neither big sources nor big groups drown the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import Images
from tumorscope.recipes.parts import Sampling


def images_per_epoch(sampling: Sampling, training: NDArray[np.int64]) -> int:
    """Return how many images an epoch draws from the positions `training`."""
    if sampling.by == "image" or not sampling.images_per_epoch:
        return len(training)
    return sampling.images_per_epoch


def draw(
    images: Images,
    training: NDArray[np.int64],
    sampling: Sampling,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the positions that an epoch shows, in its order.

    Parameters
    ----------
    images : Images
        The whole cohort.
    training : ndarray of int64
        Positions that may be drawn.
    sampling : Sampling
        How; "image" gives each position once.
    generator : numpy.random.Generator
        Decides the order and the draws.

    Returns
    -------
    ndarray of int64
        Positions; with "source" some come more than once and some not at all.
    """
    if sampling.by == "image":
        return generator.permutation(training)
    chances = probabilities(images, training, sampling)
    return generator.choice(training, size=images_per_epoch(sampling, training), p=chances)


def probabilities(
    images: Images, training: NDArray[np.int64], sampling: Sampling
) -> NDArray[np.float64]:
    """Return how likely each position of `training` is drawn, float64 of the same length, sum 1.

    A label has its share; within it a source with n images has a share in proportion to its weight
    times n^power; within that every group alike, and within a group every image alike.
    """
    labels = (images.labels[training] > 0).astype(np.int64)
    sources = images.sources[training]
    groups = images.groups[training]
    chances = np.zeros(len(training), dtype=np.float64)
    for label in (0, 1):
        share = sampling.tumour_share if label else 1.0 - sampling.tumour_share
        cells = {
            str(source): np.flatnonzero((labels == label) & (sources == source))
            for source in np.unique(sources[labels == label])
        }
        sizes = {
            source: sampling.weights.get(source, 1.0) * len(cell) ** sampling.power
            for source, cell in cells.items()
        }
        whole = sum(sizes.values())
        for source, cell in cells.items():
            _, inverse, counts = np.unique(groups[cell], return_inverse=True, return_counts=True)
            within = 1.0 / (len(counts) * counts[inverse])
            chances[cell] = share * (sizes[source] / whole if whole else 0.0) * within
    total = chances.sum()
    # All weights of a label may be 0; the other label is then all there is.
    return chances / total if total else np.full(len(training), 1.0 / len(training))
