"""From the slices of a series to one answer: neighbours confirm each other, a lone slice does not.

Each slice gives how far its probability lies above the threshold, in log-odds. This is smoothed
along the position in mm, so that the number of slices does not matter, and the highest value of the
smoothed curve is the score of the series. Beyond the ends of the stack, and where slices were
refused, the curve counts as far below. In axial slices deep below the vertex, at the skull base and
in the neck, more is asked for: false alarms of single slices lie there.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tumorscope.model_file.decision import Answer, Estimate, Part

Values = NDArray[np.float64]

SeriesPlane = Literal["axial", "coronal", "sagittal"]

Positive = Annotated[float, Field(gt=0.0)]

WIDEST = 12.0
"""mm that one slice stands for at most, however far the next is."""


BLOCK = 512
"""Places at once: files of 20,000 frames would else fill the memory with the weights of each."""


class SeriesLevel(Part):
    """Where series of one plane are answered, and what that reached.

    Attributes
    ----------
    no_tumour, tumour : float
        A series is called tumour at and above the second score, no tumour below the first.
    series, subjects : int
        Tumour-free ones that the levels were chosen on.
    alarms, abstained : Estimate or None
        Share of tumour-free series that are called tumour, and that are not answered, each series
        by levels that were chosen without its subject.
    """

    no_tumour: float
    tumour: float
    series: Annotated[int, Field(ge=0)] = 0
    subjects: Annotated[int, Field(ge=0)] = 0
    alarms: Estimate | None = None
    abstained: Estimate | None = None

    @model_validator(mode="after")
    def _ascending(self) -> SeriesLevel:
        if not self.no_tumour <= self.tumour:
            raise ValueError(f"no_tumour {self.no_tumour} lies above tumour {self.tumour}")
        return self

    def decide(self, score: float) -> Answer:
        """Return the answer for a score.

        Examples
        --------
        >>> [SeriesLevel(no_tumour=0.0, tumour=1.0).decide(s) for s in (-1.0, 0.5, 1.0)]
        ['no tumour', 'abstain', 'tumour']
        """
        if score >= self.tumour:
            return "tumour"
        return "no tumour" if score < self.no_tumour else "abstain"


class SeriesRule(Part):
    """How slices become the answer for their series.

    Attributes
    ----------
    threshold : float
        Probability of a slice that counts as 0.
    kernel : float
        Standard deviation of the Gaussian that smooths, in mm.
    limit : float
        Log-odds above and below the threshold that one slice counts at most.
    depth : tuple of float
        mm below the vertex between which more and more is asked of axial slices.
    penalty : float
        Log-odds that are asked for at the second depth and below.
    levels : dict
        By plane: axial, coronal, sagittal; a plane that is missing is not answered.
    least : int
        Series with fewer slices that have a probability are not answered.
    """

    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    kernel: Positive = 6.0
    limit: Positive = 4.0
    depth: tuple[float, float] = (110.0, 140.0)
    penalty: Annotated[float, Field(ge=0.0)] = 4.0
    levels: dict[SeriesPlane, SeriesLevel] = Field(default_factory=dict)
    least: Annotated[int, Field(ge=1)] = 5

    @model_validator(mode="after")
    def _deeper(self) -> SeriesRule:
        if not self.depth[0] < self.depth[1]:
            raise ValueError(f"depth {self.depth} does not ascend")
        return self

    def curve(
        self, positions: Values, probabilities: Values, depths: Values | None = None
    ) -> Values:
        """Return the smoothed curve at each slice, float (slices,).

        Parameters
        ----------
        positions : ndarray of float, shape (slices,)
            Along the normal, in mm, ascending.
        probabilities : ndarray of float, shape (slices,)
            NaN where a slice was refused.
        depths : ndarray of float, shape (slices,), optional
            mm below the vertex, of axial slices.

        Examples
        --------
        >>> rule = SeriesRule()
        >>> places, quiet = np.arange(20) * 5.0, np.full(20, 0.01)
        >>> lone, run = quiet.copy(), quiet.copy()
        >>> lone[9], run[8:12] = 0.99, 0.99
        >>> [float(rule.curve(places, each).max()) > 0 for each in (lone, run)]
        [False, True]
        """
        refused = np.isnan(probabilities)
        above = _log_odds(np.where(refused, 0.5, probabilities)) - _log_odds(
            np.array(self.threshold)
        )
        if depths is not None:
            first, second = self.depth
            above = above - self.penalty * np.clip((depths - first) / (second - first), 0.0, 1.0)
        above = np.where(refused, -self.limit, np.clip(above, -self.limit, self.limit))
        widths = _widths(positions)
        parts = [
            self._smoothed(positions[start : start + BLOCK], positions, widths, above)
            for start in range(0, len(positions), BLOCK)
        ]
        curve: Values = np.concatenate(parts)
        return curve

    def _smoothed(self, there: Values, positions: Values, widths: Values, above: Values) -> Values:
        """Return the curve at some places."""
        apart = (there[:, None] - positions[None]) / self.kernel
        density = np.exp(-0.5 * apart**2) / (self.kernel * math.sqrt(2.0 * math.pi))
        share = density * widths
        total = share.sum(axis=1, keepdims=True)
        share = share / np.maximum(total, 1.0)
        smoothed: Values = share @ above - self.limit * np.clip(1.0 - total[:, 0], 0.0, 1.0)
        return smoothed


def refused_within(positions: Values, refused: NDArray[np.bool_]) -> bool:
    """Return whether slices between answered ones were refused, of more than one stands for.

    What lies there nobody looked at, though the curve counts it as far below. Slices beyond the
    outermost that were answered show the neck, or nothing.

    Parameters
    ----------
    positions : ndarray of float, shape (n,)
        Of the slices, in mm, ascending.
    refused : ndarray of bool, shape (n,)
        Which were not answered.

    Examples
    --------
    >>> refused_within(np.arange(6) * 5.0, np.array([True, True, True, True, False, False]))
    False
    >>> refused_within(np.arange(6) * 5.0, np.array([False, True, True, True, False, False]))
    True
    """
    answered = np.flatnonzero(~refused)
    if len(answered) < 2:
        return False
    refused_width = np.cumsum(np.where(refused, _widths(positions), 0.0))
    return bool(np.diff(refused_width[answered]).max() > WIDEST)


def _log_odds(probability: Values) -> Values:
    inside = np.clip(probability, 1e-9, 1.0 - 1e-9)
    found: Values = np.log(inside / (1.0 - inside))
    return found


def _widths(positions: Values) -> Values:
    """Return how many mm each slice stands for: half the way to either neighbour."""
    if len(positions) < 2:
        return np.full(len(positions), WIDEST)
    steps = np.diff(positions)
    before, after = np.append(steps[:1], steps), np.append(steps, steps[-1:])
    return np.minimum(before, WIDEST) / 2.0 + np.minimum(after, WIDEST) / 2.0
