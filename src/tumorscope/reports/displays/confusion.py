"""Right and wrong calls by class (the paper's Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.classes import CLASSES
from tumorscope.reports.drawing import Display, canvas
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.one_class import confusion
from tumorscope.statistics.two_classes import check_scores, tumour_calls

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class ConfusionMatrixDisplay(Display):
    """Counts of calls by class.

    Attributes
    ----------
    counts : ndarray of shape (classes, classes)
        Rows: reference standard; columns: call. Means over repeats.
    classes : sequence of str
        Their names.
    repeats : int
        How often each image was scored.
    """

    counts: NDArray[np.float64]
    classes: Sequence[str] = CLASSES
    repeats: int = 1

    @classmethod
    def from_metrics(cls, metrics: Metrics) -> ConfusionMatrixDisplay:
        """Take the counts of an evaluation."""
        return cls(np.array(metrics.confusion), metrics.classes, metrics.repeats)

    @classmethod
    def from_predictions(
        cls, labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5
    ) -> ConfusionMatrixDisplay:
        """Count calls of a tumour from labels [n] and scores [n] or [n, repeats].

        Examples
        --------
        >>> ConfusionMatrixDisplay.from_predictions([0, 1, 1], [0.1, 0.9, 0.4]).counts
        array([[1., 0.],
               [1., 1.]])
        """
        truth, columns = check_scores(labels, scores, threshold=threshold)
        calls = tumour_calls(truth, columns, threshold).called.astype(np.int64)
        return cls(np.array(confusion(truth, calls, 2)), repeats=columns.shape[1])

    def plot(self, ax: Axes | None = None) -> ConfusionMatrixDisplay:
        """Draw counts and shares of each row; right calls have a frame."""
        totals = self.counts.sum(axis=1, keepdims=True)
        shares = np.divide(self.counts, totals, out=np.zeros_like(self.counts), where=totals > 0)
        several = len(self.classes) > 2
        with canvas(ax, width=6.4 if several else 5.2, height=5.6 if several else 4.4) as axes:
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
            for row, column in np.ndindex(*self.counts.shape):
                share = float(shares[row, column]) if totals[row, 0] else None
                self._cell(axes, row, column, share)
            axes.grid(visible=False)
            places = range(len(self.classes))
            axes.set_xticks(places, self.classes)
            axes.set_yticks(places, self.classes, rotation=90, va="center")
            axes.tick_params(length=0)
            axes.set(xlabel="Call of the model", ylabel="Reference standard")
            axes.set_title("Confusion matrix" if self.repeats == 1 else
                           f"Confusion matrix, mean of {self.repeats} repeats")  # fmt: skip
            self._remember(axes)
        return self

    def _cell(self, axes: Axes, row: int, column: int, share: float | None) -> None:
        from matplotlib.patches import Rectangle

        two = len(self.classes) == 2
        number = f"{self.counts[row, column]:.{0 if self.repeats == 1 else 1}f}"
        words = "no image" if share is None else f"{100 * share:.{0 if two else 1}f} %"
        if two and share is not None:
            kind = "right" if row == column else ("false alarm" if row == 0 else "missed")
            words = f"{words} {kind}"
        ink = "white" if share is not None and share > 0.6 else "black"
        axes.text(column, row - 0.08, number, ha="center", va="center", color=ink,
                  fontsize=22 if two else 14, weight="bold")  # fmt: skip
        axes.text(column, row + 0.22, words, ha="center", va="center", color=ink)
        if row == column:
            frame = Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, fill=False,
                              edgecolor="black", linewidth=1.6)  # fmt: skip
            axes.add_patch(frame)
