"""How many testing images have a copy among those that were trained on, and what that hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.statistics.intervals import Interval, share_of


@dataclass(frozen=True, slots=True)
class Copies:
    """Testing images with a copy on the other side of the split.

    Attributes
    ----------
    count : float
        How many; over repeats the mean.
    n : int
        Testing images.
    everything, without, alone : Interval or None
        Accuracy on all testing images, on those without a copy, and on those with one; None where
        there are none.
    """

    count: float
    n: int
    everything: Interval | None
    without: Interval | None
    alone: Interval | None

    @classmethod
    def among(cls, copied: NDArray[np.bool_], right: NDArray[np.bool_]) -> Copies:
        """Count them.

        Parameters
        ----------
        copied, right : ndarray of bool, shape (n,) or (n, repeats)
            Whether an image has a copy among those that its model was trained or tuned on, and
            whether it was called as the reference standard says.
        """
        calls = right if right.ndim == 2 else right[:, None]
        flags = np.broadcast_to(copied if copied.ndim == 2 else copied[:, None], calls.shape)
        return cls(
            count=float(flags.sum() / calls.shape[1]),
            n=len(calls),
            everything=share_of(calls, np.ones_like(flags)),
            without=share_of(calls, ~flags),
            alone=share_of(calls, flags),
        )

    def words(self) -> str:
        """Return it as sentences for people."""
        count = f"{self.count:.0f}" if self.count == round(self.count) else f"{self.count:.1f}"
        if not self.count:
            return (
                f"None of the {self.n} testing images has a copy among the training and tuning "
                "images that is known: the same file, a near-duplicate, or another image of its "
                "group. Copies that no search found would still leak."
            )
        first = (
            f"{count} of the {self.n} testing images have a copy among the training and tuning "
            "images: the same file, a near-duplicate, or another image of their group."
        )
        with_copies = f"Accuracy is {_shown(self.everything)} with them"
        if self.without is None:
            return f"{first} No image is without one, so nothing here is of a new picture."
        return (
            f"{first} {with_copies}, {_shown(self.without)} without them, and {_shown(self.alone)} "
            "on them alone. The value without them is the one that may hold for new pictures."
        )

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        accuracy = {"with": self.everything, "without": self.without, "alone": self.alone}
        return {
            "n": int(self.count) if self.count == int(self.count) else self.count,
            "of": self.n,
            "accuracy": {
                name: None if found is None else found.to_json() for name, found in accuracy.items()
            },
        }


def copied_across_folds(groups: NDArray[np.str_], folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which images have one of their group in another fold, bool (n, repeats).

    Parameters
    ----------
    groups : ndarray of shape (n,)
        What a split should keep together.
    folds : ndarray of shape (n, repeats)
        In which fold each image was held out; the others trained or tuned its model.

    Examples
    --------
    >>> import numpy as np
    >>> copied_across_folds(np.array(["a", "a", "b"]), np.array([0, 1, 1]))
    array([[ True],
           [ True],
           [False]])
    """
    columns = folds if folds.ndim == 2 else folds[:, None]
    _, numbers = np.unique(groups, return_inverse=True)
    sizes = np.bincount(numbers)
    found = np.zeros(columns.shape, dtype=bool)
    for repeat, fold in enumerate(columns.T):
        _, pairs, counts = np.unique(
            np.stack([numbers, fold]), axis=1, return_inverse=True, return_counts=True
        )
        found[:, repeat] = counts[pairs.reshape(-1)] < sizes[numbers]
    return found


def _shown(found: Interval | None) -> str:
    if found is None:
        return "–"
    value, low, high = (100.0 * each for each in (found.value, found.low, found.high))
    return f"{value:.1f} % ({low:.1f} to {high:.1f} %)"
