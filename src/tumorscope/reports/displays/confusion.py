"""Right and wrong calls by class (the paper's Figure 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.reports.displays._canvas import canvas
from tumorscope.reports.drawing import Display
from tumorscope.statistics.metrics import check_scores, confusion_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASSES = ("no tumour", "tumour")


@dataclass(eq=False)
class ConfusionMatrixDisplay(Display):
    """Counts of calls by class.

    Attributes
    ----------
    counts : ndarray of shape (2, 2)
        Rows: reference standard; columns: call; no tumour first. Means over repeats.
    repeats : int
        How often each image was scored.
    """

    counts: NDArray[np.float64]
    repeats: int = 1

    @classmethod
    def from_predictions(
        cls, labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5
    ) -> ConfusionMatrixDisplay:
        """Count calls from labels [n] and scores [n] or [n, repeats]."""
        truth, columns = check_scores(labels, scores, threshold=threshold)
        counts = confusion_counts(truth, columns, threshold).mean(axis=0)
        return cls(counts.reshape(2, 2), columns.shape[1])

    def plot(self, ax: Axes | None = None) -> ConfusionMatrixDisplay:
        """Draw counts and shares of each row; right calls have a frame."""
        from matplotlib.patches import Rectangle

        totals = self.counts.sum(axis=1, keepdims=True)
        shares = np.divide(self.counts, totals, out=np.zeros((2, 2)), where=totals > 0)
        with canvas(ax, width=5.2, height=4.4) as axes:
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
            for row, column in np.ndindex(2, 2):
                dark = shares[row, column] > 0.6
                number = f"{self.counts[row, column]:.{0 if self.repeats == 1 else 1}f}"
                share = f"{100 * shares[row, column]:.0f} %" if totals[row, 0] else "no image"
                ink = "white" if dark else "black"
                axes.text(column, row - 0.08, number, ha="center", va="center", color=ink,
                          fontsize=22, weight="bold")  # fmt: skip
                kind = "right" if row == column else ("false alarm" if row == 0 else "missed")
                axes.text(column, row + 0.22, f"{share} {kind}" if totals[row, 0] else share,
                          ha="center", va="center", color=ink)  # fmt: skip
                if row == column:
                    frame = Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, fill=False,
                                      edgecolor="black", linewidth=1.6)  # fmt: skip
                    axes.add_patch(frame)
            axes.grid(visible=False)
            axes.set_xticks([0, 1], CLASSES)
            axes.set_yticks([0, 1], CLASSES, rotation=90, va="center")
            axes.tick_params(length=0)
            axes.set(xlabel="Call of the model", ylabel="Reference standard")
            axes.set_title("Confusion matrix" if self.repeats == 1 else
                           f"Confusion matrix, mean of {self.repeats} repeats")  # fmt: skip
            self._remember(axes)
        return self
