"""Precision, recall and F1 by class (the paper's Figure 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.classes import CLASSES
from tumorscope.reports.drawing import ROW_HEIGHT, Display, canvas, draw_table
from tumorscope.statistics.one_class import OneClass
from tumorscope.statistics.two_classes import check_scores, tumour_calls

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADER = ("Class", "Precision", "Recall", "F1", "Images")


@dataclass(eq=False)
class ClassificationReportDisplay(Display):
    """The table that scikit-learn prints, averaged over repeats.

    Attributes
    ----------
    rows : mapping of str to ndarray of shape (3,)
        Precision, recall and F1 by class; NaN where a class has no image or no call.
    images : mapping of str to int
        Images per row.
    accuracy : float
    """

    rows: Mapping[str, NDArray[np.float64]]
    images: Mapping[str, int]
    accuracy: float

    @classmethod
    def from_predictions(
        cls, labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5
    ) -> ClassificationReportDisplay:
        """Compute the table from labels [n] and scores [n] or [n, repeats]."""
        truth, columns = check_scores(labels, scores, threshold=threshold)
        tumour = tumour_calls(truth, columns, threshold)
        classes = dict(zip(CLASSES, map(_of_class, (tumour.others, tumour)), strict=True))
        n, positives = len(truth), int(truth.sum())
        both = np.stack(list(classes.values()))
        weights = np.array([n - positives, positives]) / n
        rows = {**classes, "mean of classes": both.mean(axis=0)}
        # A class without images weighs nothing, whatever it leaves undefined.
        rows["mean by images"] = np.sum(
            np.where(weights[:, None] > 0, both * weights[:, None], 0), axis=0
        )
        images = dict(zip(rows, (n - positives, positives, n, n), strict=True))
        return cls(rows, images, float(tumour.ratio("accuracy").of_all.mean()))

    def plot(self, ax: Axes | None = None) -> ClassificationReportDisplay:
        """Draw the table."""
        lines = [
            (name, *(f"{value:.3f}" if np.isfinite(value) else "–" for value in values),
             str(self.images[name]))
            for name, values in self.rows.items()
        ]  # fmt: skip
        n = str(self.images["mean by images"])
        lines.insert(2, ("accuracy", "", "", f"{self.accuracy:.3f}", n))
        with canvas(ax, width=5.8, height=ROW_HEIGHT * (len(lines) + 1) + 0.4) as axes:
            draw_table(
                axes,
                HEADER,
                lines,
                edges=(0, 0.36, 0.54, 0.70, 0.84, 1),
                numeric=(1, 2, 3, 4),
                rules=(2,),
            )
            axes.set_title("Classification report")
            self._remember(axes)
        return self


def _of_class(part: OneClass) -> NDArray[np.float64]:
    """Return precision, recall and F1, means over repeats."""
    return np.array([part.ratio(name).of_all.mean() for name in ("ppv", "sensitivity", "f1")])
