"""Predicted probabilities by class (the paper's Figure 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.reports.drawing import PALETTE, Display, canvas
from tumorscope.statistics.two_classes import check_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 20


@dataclass(eq=False)
class ScoreDistributionDisplay(Display):
    """How many images of each class got which probability.

    Attributes
    ----------
    edges : ndarray of shape (21,)
        Bins of the probability.
    tumour, no_tumour : ndarray of shape (20,)
        Images per bin; with repeats the mean over repeats.
    threshold : float
    """

    edges: NDArray[np.float64]
    tumour: NDArray[np.float64]
    no_tumour: NDArray[np.float64]
    threshold: float = 0.5

    @classmethod
    def from_predictions(
        cls, labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5
    ) -> ScoreDistributionDisplay:
        """Count from labels [n] and scores [n] or [n, repeats]."""
        truth, columns = check_scores(labels, scores, threshold=threshold)
        edges = np.linspace(0, 1, BINS + 1)
        counts = [
            np.histogram(columns[truth == label], edges)[0] / columns.shape[1] for label in (1, 0)
        ]
        return cls(edges, counts[0], counts[1], threshold)

    def plot(self, ax: Axes | None = None) -> ScoreDistributionDisplay:
        """Draw tumours upwards, others downwards and hatched, with the threshold between calls."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        with canvas(ax, width=6.4, height=4.8) as axes:
            left, width = self.edges[:-1], np.diff(self.edges)
            axes.bar(left, self.tumour, width, align="edge", color=PALETTE["tumour"],
                     edgecolor="white", label=f"tumour ({self.tumour.sum():.0f})")  # fmt: skip
            axes.bar(left, -self.no_tumour, width, align="edge", color=PALETTE["no tumour"],
                     edgecolor="white", hatch="///",
                     label=f"no tumour ({self.no_tumour.sum():.0f})")  # fmt: skip
            axes.axhline(0, color=PALETTE["ink"], linewidth=1)
            axes.axvline(self.threshold, color=PALETTE["ink"], linestyle="--",
                         label=f"threshold {self.threshold:.3g}")  # fmt: skip
            # A fifth of room on top keeps words and bars apart.
            reach = max(self.tumour.max(), self.no_tumour.max(), 1)
            axes.set(xlim=(0, 1), ylim=(-1.12 * reach, 1.12 * reach))
            axes.yaxis.set_major_formatter(FuncFormatter(_count))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set(xlabel="Predicted probability of a tumour", ylabel="Images")
            axes.set_title("Predicted probabilities by reference standard")
            axes.figure.legend(loc="outside lower center", ncols=3)
            self._remember(axes)
        return self


def _count(value: float, _: int | None) -> str:
    """Return what stands at a tick: images that point down are as many as those that point up."""
    return f"{abs(value):g}"
