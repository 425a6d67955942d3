"""Brain MRI or not, told by pooled features: learnt from brains of many sources and drawings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.synthetic.acquisition import acquire
from tumorscope.synthetic.impostors import draw_impostors

DRAWN = 3200
MOVED = 1200
"""Brains that are learnt from as another scanner would show them, beside the images themselves."""

PASSING = 0.98
"""Share of the brains of sources left out that pass, each source counted by its root.

A stricter limit would refuse more abdomens, and small skull-stripped slices of new sources with
them: of `brats2013` left out one in four at 0.96.
"""

FOLDS = 5
CALM = 4.0
"""Score by which a distance grows e-fold, so that nothing overflows."""

Features = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class BrainOrNot:
    """A linear score of the directions of pooled features, and the score beyond which is no brain.

    Attributes
    ----------
    weights : tuple of ndarray of float32
        For each layer, shape (c,).
    bias : float
        So that the score is 0 at the limit; what is above is refused.
    """

    weights: tuple[NDArray[np.float32], ...]
    bias: float

    def distances(self, layers: list[Features]) -> NDArray[np.float64]:
        """Return exp(score), which is 1 at the limit, of pooled features (n, c) of each layer."""
        score = sum(
            directions(each).astype(np.float64) @ weights
            for each, weights in zip(layers, self.weights, strict=True)
        )
        return np.exp(np.asarray(score) + self.bias)


def directions(features: Features) -> Features:
    """Return features divided by their length."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    units: Features = features / np.maximum(lengths, 1e-6)
    return units


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What there is to learn from: the pooled features of each layer, of brains and of drawings.

    Attributes
    ----------
    brains : list of ndarray of float32
        Of the images that set the limit.
    more : list of ndarray of float32
        Of these as other scanners show them, and of cuts of volumes.
    drawn : list of ndarray of float32
        Of what is no brain.
    sources, more_sources : ndarray of str
        Where each of `brains` and of `more` comes from.
    """

    brains: list[Features]
    more: list[Features]
    drawn: list[Features]
    sources: NDArray[np.str_]
    more_sources: NDArray[np.str_]

    def with_cuts(self, features: list[Features], sources: NDArray[np.str_]) -> Lesson:
        """Return the lesson with more brains, which set no limit and are not drawn upon.

        Slices from the edge of the brain would widen the limit so far that abdomens pass.
        """
        more = [np.concatenate(pair) for pair in zip(self.more, features, strict=True)]
        return replace(self, more=more, more_sources=np.concatenate([self.more_sources, sources]))


def look(
    run: Callable[[Pixels], list[Features]],
    brains: Pixels,
    sources: NDArray[np.str_],
    how: Preprocessing,
) -> Lesson:
    """Look at brains, at these as other scanners show them, and at drawings.

    Parameters
    ----------
    run : callable
        From prepared images to the pooled features of each layer.
    brains : ndarray of uint8, shape (n, size, size)
        Prepared.
    sources : ndarray of str, shape (n,)
        Of the brains.
    how : Preprocessing
        Of the model.
    """
    origin, moved = moved_brains(brains, how, count=MOVED, seed=1)
    drawn = draw_impostors(brains, how, count=DRAWN, seed=2)
    return Lesson(run(brains), run(moved), run(drawn), sources, sources[origin])


def learn(lesson: Lesson) -> BrainOrNot:
    """Learn to tell brains from drawings; the limit is chosen on sources left out in turn."""
    sources = lesson.sources
    x = np.concatenate(
        [np.concatenate([directions(each) for each in layers], axis=1)
         for layers in (lesson.brains, lesson.more, lesson.drawn)]
    )  # fmt: skip
    n, m = len(sources), len(lesson.more_sources)
    mean, spread = x[:n].mean(axis=0), x[:n].std(axis=0)
    # A channel that is silent in brains is no witness of much, so its spread is not taken as 0.
    spread = spread + 0.05 * spread.mean()
    x = (x - mean) / spread
    other = np.arange(len(x)) >= n + m
    names = np.concatenate([sources, lesson.more_sources, np.full(int(other.sum()), "")])
    held_out = np.empty(n)
    for left in np.array_split(np.unique(sources), min(FOLDS, len(np.unique(sources)))):
        out = np.isin(names, left)
        held_out[out[:n]] = _fit(x[~out], other[~out], names[~out]).decision_function(
            x[:n][out[:n]]
        )
    limit = _quantile(held_out, _by_source(sources), PASSING)
    fitted = _fit(x, other, names)
    raw = fitted.coef_[0] / spread / CALM
    bias = float(fitted.intercept_[0] - limit) / CALM - float(mean @ raw)
    ends = np.cumsum([each.shape[1] for each in lesson.brains])[:-1]
    return BrainOrNot(tuple(each.astype(np.float32) for each in np.split(raw, ends)), bias)


def moved_brains(
    brains: Pixels, how: Preprocessing, *, count: int, seed: int
) -> tuple[NDArray[np.int64], Pixels]:
    """Return brains turned, shrunk and shown as by other scanners, and which each was."""
    generator = np.random.default_rng(seed)
    origin = generator.integers(len(brains), size=count)
    half = (brains.shape[1] - 1) / 2
    shown = np.empty((count, how.size, how.size), np.uint8)
    for index, chosen in enumerate(origin):
        turn = cv2.getRotationMatrix2D(
            (half, half), float(generator.normal(0, 12)), float(generator.uniform(0.8, 1.1))
        )
        picture = cv2.warpAffine(brains[chosen], turn, brains.shape[1:]).astype(np.uint8)
        if generator.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
        shown[index] = prepare(Slice(pixels=acquire(picture, generator), source=""), how)
    return origin, shown


def _fit(
    x: NDArray[np.floating], other: NDArray[np.bool_], names: NDArray[np.str_]
) -> LogisticRegression:
    weights = _by_source(names)
    for side in (other, ~other):
        weights[side] *= 0.5 * len(x) / weights[side].sum()
    return LogisticRegression(C=3.0 / x.shape[1], max_iter=300).fit(x, other, sample_weight=weights)


def _by_source(names: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return weights by which a source counts by the root of its images."""
    _, which, counts = np.unique(names, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / np.sqrt(counts[which])
    return weights


def _quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])
