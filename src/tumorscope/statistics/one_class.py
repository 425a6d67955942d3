"""One class against all others: what share of which images was called rightly.

Everything is a function of the positions of images, so that a resample of them is measured by the
same lines as all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.statistics import auc
from tumorscope.statistics.estimate import Statistic

Counts = NDArray[np.int8]
Numbers = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A count of images over another, by repeat.

    Attributes
    ----------
    top, bottom : ndarray of int8, shape (n, repeats)
        What each image adds above and below the line.
    """

    top: Counts
    bottom: Counts

    def __call__(self, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return it for some images, float64 (repeats,); NaN where nothing is below the line."""
        return divide(self.top[index].sum(axis=0), self.bottom[index].sum(axis=0))

    @property
    def of_all(self) -> NDArray[np.float64]:
        """Of all images, float64 (repeats,)."""
        return self(np.arange(len(self.top)))

    @property
    def trials(self) -> int:
        """How many images are below the line: over repeats the mean, rounded, at least 1."""
        return max(1, round(float(self.bottom.sum(axis=0).mean())))


@dataclass(frozen=True, slots=True)
class OneClass:
    """Images that are or are not of a class, and were or were not called so.

    Attributes
    ----------
    held : ndarray of bool, shape (n, 1)
        Whether the reference standard says that the image is of the class.
    called : ndarray of bool, shape (n, repeats)
        Whether the model does.
    scores : ndarray of float64, shape (n, repeats)
        Probability of the class.
    """

    held: NDArray[np.bool_]
    called: NDArray[np.bool_]
    scores: NDArray[np.float64]

    @property
    def others(self) -> OneClass:
        """All other classes against this one."""
        return OneClass(~self.held, ~self.called, 1 - self.scores)

    def statistic(self, metric: str) -> Statistic:
        """Return a metric by name, for resamples of these images: one of `ratio`, "auc" or "mcc".

        Predictive value and F1 score are NaN in a resample that lost all images of the class.
        Where the class has few groups many do, and one false call would make both 0 there, and
        that 0 the lower end of their intervals.
        """
        if metric == "auc":
            return self.auc
        if metric == "mcc":
            return self.mcc
        ratio = self.ratio(metric)
        if metric not in ("ppv", "f1") or not self.held.any():
            return ratio

        def where_held(index: NDArray[np.intp]) -> NDArray[np.float64]:
            found = ratio(index)
            return found if self.held[index].any() else np.full_like(found, np.nan)

        return where_held

    def ratio(self, metric: str) -> Ratio:
        """Return accuracy, sensitivity, specificity, ppv, npv or f1."""
        held, called = np.broadcast_to(self.held, self.called.shape), self.called
        every = np.ones_like(called)
        top, bottom = {
            "accuracy": (held == called, every),
            "sensitivity": (held & called, held),
            "specificity": (~held & ~called, ~held),
            "ppv": (held & called, called),
            "npv": (~held & ~called, ~called),
            "f1": (2 * (held & called), held.astype(np.int8) + called),
        }[metric]
        return Ratio(top.astype(np.int8), bottom.astype(np.int8))

    def auc(self, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the area under the ROC curve; NaN where all images are, or none is, of it."""
        truth, scores = self.held[index, 0].astype(np.int64), self.scores[index]
        if not 0 < truth.sum() < len(truth):
            return np.full(scores.shape[1], np.nan)
        return np.array([auc(truth, column) for column in scores.T])

    def mcc(self, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return Matthews' correlation; NaN where a row or column of the counts is empty."""
        tn, fp, fn, tp = self.counts(index).T
        marginals = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return divide(tp * tn - fp * fn, np.sqrt(marginals))

    def counts(self, index: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """Return true negatives, false positives, false negatives, true positives (repeats, 4).

        Parameters
        ----------
        index : ndarray of int, optional
            Positions of images; all of them by default.
        """
        chosen = slice(None) if index is None else index
        held, called = self.held[chosen], self.called[chosen]
        cells = [~held & ~called, ~held & called, held & ~called, held & called]
        return np.stack([cell.sum(axis=0) for cell in cells], axis=1).astype(np.float64)


def divide(top: Numbers, bottom: Numbers) -> NDArray[np.float64]:
    """Return top / bottom, NaN where nothing is below the line.

    Examples
    --------
    >>> import numpy as np
    >>> divide(np.array([1, 0]), np.array([4, 0]))
    array([0.25,  nan])
    """
    found = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found


def confusion(
    labels: NDArray[np.int64], calls: NDArray[np.int64], classes: int
) -> tuple[tuple[float, ...], ...]:
    """Return counts of calls by class, the mean over repeats.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Position of the class of each image.
    calls : ndarray of shape (n, repeats)
        What the model says.
    classes : int
        How many there are.

    Returns
    -------
    tuple of tuple of float
        Rows: reference standard; columns: calls. Each row sums to the images of its class.

    Examples
    --------
    >>> import numpy as np
    >>> confusion(np.array([0, 1, 1]), np.array([[0], [1], [0]]), 2)
    ((1.0, 0.0), (1.0, 1.0))
    """
    cells = labels[:, None] * classes + calls
    counts = np.stack([np.bincount(column, minlength=classes**2) for column in cells.T])
    return tuple(map(tuple, counts.mean(axis=0).reshape(classes, classes).tolist()))
