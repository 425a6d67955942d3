"""Precision against recall at every threshold (the paper's Figure 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tumorscope.reports.drawing import PALETTE, Display, canvas
from tumorscope.statistics.curves import Curve, average_precision, precision_recall_points
from tumorscope.statistics.two_classes import check_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class PrecisionRecallDisplay(Display):
    """Precision-recall curves, one per repeat.

    Attributes
    ----------
    curves : sequence of (recall, precision)
        Ndarrays, recall rising.
    average_precision : float
        Mean over repeats.
    prevalence : float
        Share of tumours among these images: what guessing reaches.
    """

    curves: Sequence[Curve]
    average_precision: float
    prevalence: float

    @classmethod
    def from_predictions(cls, labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallDisplay:
        """Compute curves from labels [n] and scores [n] or [n, repeats].

        Raises
        ------
        InputError
            If a class is missing, or labels or scores are not valid.
        """
        truth, columns = check_scores(labels, scores)
        curves = [precision_recall_points(truth, column) for column in columns.T]
        mean = float(np.mean([average_precision(truth, column) for column in columns.T]))
        return cls(curves, mean, float(truth.mean()))

    def plot(self, ax: Axes | None = None) -> PrecisionRecallDisplay:
        """Draw the curves, and the prevalence as what guessing reaches."""
        with canvas(ax, width=5.6, height=5.4) as axes:
            for number, (recall, precision) in enumerate(self.curves):
                label = "model" if len(self.curves) == 1 else f"{len(self.curves)} repeats"
                axes.step(recall, precision, where="pre", color=PALETTE["no tumour"],
                          linewidth=2.2 if len(self.curves) == 1 else 1.2,
                          label=label if number == 0 else None)  # fmt: skip
            axes.axhline(self.prevalence, color=PALETTE["grey"], linestyle=":",
                         label=f"guessing = prevalence {100 * self.prevalence:.0f} %")  # fmt: skip
            axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03), aspect="equal",
                     xlabel="Recall (sensitivity)",
                     ylabel="Precision (positive predictive value)")  # fmt: skip
            axes.set_title(f"Precision-recall: average precision {self.average_precision:.3f}")
            axes.legend(loc="lower left", fontsize=9.5)
            self._remember(axes)
        return self
