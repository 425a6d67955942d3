"""Accuracy and AUC of each fold of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tumorscope.reports.drawing import PALETTE, Display, canvas
from tumorscope.statistics.folds import ByFold
from tumorscope.statistics.two_classes import check_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class FoldDisplay(ByFold, Display):
    """Accuracy and AUC by fold; see `ByFold` for the numbers."""

    @classmethod
    def from_predictions(
        cls, labels: ArrayLike, scores: ArrayLike, *, folds: ArrayLike, threshold: float = 0.5
    ) -> FoldDisplay:
        """Measure each fold from labels [n], scores and folds, both [n] or [n, repeats].

        Raises
        ------
        InputError
            If folds and scores differ in shape, or labels or scores are not valid.
        """
        truth, columns = check_scores(labels, scores, threshold=threshold)
        return cls.of(truth, columns, np.asarray(folds), threshold=threshold)

    def plot(self, ax: Axes | None = None) -> FoldDisplay:
        """Draw a dot per fold and repeat, and the mean over folds as a line."""
        with canvas(ax, width=10, height=3.8) as axes:
            places = np.arange(1, len(self.folds) + 1)
            styles = (
                ("accuracy", self.accuracy, "o", PALETTE["no tumour"], -0.14, "-"),
                ("AUC", self.auc, "^", PALETTE["tumour"], 0.14, "--"),
            )
            lowest = 0.5
            for name, values, marker, colour, offset, line in styles:
                if not np.isfinite(values).any():
                    continue
                repeats = values.shape[1]
                spread = np.linspace(-0.06, 0.06, repeats) if repeats > 1 else np.zeros(1)
                x = places[:, None] + offset + spread
                mean = float(np.nanmean(values))
                axes.axhline(mean, color=colour, linewidth=1.2, linestyle=line)
                axes.plot(x.ravel(), values.ravel(), marker, color=colour, markersize=7, alpha=0.85,
                          markeredgecolor="white",
                          label=f"{name} (mean of folds {mean:.3f})")  # fmt: skip
                lowest = min(lowest, float(np.nanmin(values)) - 0.03)
            step = max(1, len(self.folds) // 12)
            axes.set_xticks(places[::step], [str(fold) for fold in self.folds[::step]])
            axes.set(xlim=(0.5, len(self.folds) + 0.5), ylim=(max(-0.02, lowest), 1.02),
                     xlabel="Fold", ylabel="On the images held out")  # fmt: skip
            axes.set_title("Each fold")
            axes.grid(visible=False, axis="x")
            axes.figure.legend(loc="outside lower center", ncols=2)
            self._remember(axes)
        return self
