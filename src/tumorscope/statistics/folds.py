"""What each fold of a cross-validation reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.statistics import auc


@dataclass(eq=False)
class ByFold:
    """Accuracy and AUC of each fold and repeat.

    Attributes
    ----------
    folds : ndarray of shape (folds,)
        Their numbers.
    accuracy, auc : ndarray of shape (folds, repeats)
        NaN where a fold holds no image, and for AUC where it holds one class only.
    """

    folds: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    auc: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        labels: NDArray[np.int64],
        scores: NDArray[np.float64],
        folds: NDArray[np.int64],
        *,
        threshold: float,
    ) -> Self:
        """Measure each fold of each repeat.

        Parameters
        ----------
        labels : ndarray of shape (n,)
            0 or 1.
        scores : ndarray of shape (n, repeats)
            Probability of tumour.
        folds : ndarray of shape (n,) or (n, repeats)
            In which fold each image was held out.
        threshold : float
            Scores from it up are called a tumour.

        Raises
        ------
        InputError
            If folds and scores differ in shape.

        Examples
        --------
        >>> import numpy as np
        >>> labels, scores = np.array([1, 0, 1, 0]), np.array([[0.9], [0.2], [0.4], [0.6]])
        >>> ByFold.of(labels, scores, np.array([0, 0, 1, 1]), threshold=0.5).accuracy.tolist()
        [[1.0], [0.0]]
        """
        places = folds[:, None] if folds.ndim == 1 else folds
        if places.shape[1:] == (1,):
            places = np.broadcast_to(places, (len(places), scores.shape[1]))
        if places.shape != scores.shape:
            raise InputError(
                f"Received folds of shape {np.shape(folds)} for scores of shape "
                f"{np.shape(scores)}. Expected the same shape, or one fold per image."
            )
        numbers = np.unique(places)
        accuracy, areas = np.full((2, len(numbers), scores.shape[1]), np.nan)
        for row, repeat in np.ndindex(accuracy.shape):
            inside = places[:, repeat] == numbers[row]
            here, found = labels[inside], scores[inside, repeat]
            if len(here):
                accuracy[row, repeat] = ((found >= threshold) == (here == 1)).mean()
            if 0 < here.sum() < len(here):
                areas[row, repeat] = auc(here, found)
        return cls(numbers, accuracy, areas)
