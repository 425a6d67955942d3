"""Sensitivity against false alarms at every threshold (the paper's Figure 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.reports.drawing import PALETTE, Display, canvas
from tumorscope.statistics import Interval, delong
from tumorscope.statistics.curves import GRID, Curve, need_both_classes, roc_band, roc_points
from tumorscope.statistics.two_classes import check_scores, tumour_calls

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class RocCurveDisplay(Display):
    """ROC curves, one per repeat.

    Attributes
    ----------
    curves : sequence of (fpr, tpr)
        Ndarrays, from (0, 0) to (1, 1).
    auc : Interval
        Area with DeLong's interval, the mean over repeats.
    operating_point : (float, float)
        False and true positive rate at `threshold`, the mean over repeats.
    threshold : float
    band : (ndarray, ndarray) or None
        Low and high true positive rate on 201 equally spaced false positive rates, 95 %, point by
        point, from resampling groups; None without groups, or with too few.
    """

    curves: Sequence[Curve]
    auc: Interval
    operating_point: tuple[float, float]
    threshold: float
    band: Curve | None = None

    @classmethod
    def from_predictions(
        cls,
        labels: ArrayLike,
        scores: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        threshold: float = 0.5,
        seed: int = 0,
    ) -> RocCurveDisplay:
        """Compute curves from labels [n] and scores [n] or [n, repeats].

        Raises
        ------
        InputError
            If a class is missing, or labels or scores are not valid.
        """
        truth, columns = check_scores(labels, scores, threshold=threshold)
        need_both_classes(truth, "An ROC curve")
        tn, fp, fn, tp = tumour_calls(truth, columns, threshold).counts().mean(axis=0)
        return cls(
            [roc_points(truth, column) for column in columns.T],
            delong(truth, columns),
            (float(fp / (fp + tn)), float(tp / (tp + fn))),
            threshold,
            None if groups is None else roc_band(truth, columns, groups, seed=seed),
        )

    @property
    def mean_curve(self) -> NDArray[np.float64]:
        """True positive rate, mean over repeats, on 201 equally spaced false positive rates."""
        return np.asarray(np.mean([np.interp(GRID, *curve) for curve in self.curves], axis=0))

    def plot(self, ax: Axes | None = None) -> RocCurveDisplay:
        """Draw the curve, its band, the line of guessing and the operating point."""
        with canvas(ax, width=5.6, height=5.4) as axes:
            if self.band is not None:
                axes.fill_between(GRID, *self.band, color=PALETTE["no tumour"], alpha=0.15,
                                  linewidth=0, label="95 % band (groups resampled)")  # fmt: skip
            axes.plot([0, 1], [0, 1], ":", color=PALETTE["grey"], label="guessing")
            if len(self.curves) > 1:
                for curve in self.curves:
                    axes.step(*curve, where="post", color=PALETTE["grey"], linewidth=0.8)
                axes.plot(np.r_[0, GRID], np.r_[0, self.mean_curve], color=PALETTE["no tumour"],
                          linewidth=2.2,
                          label=f"mean of {len(self.curves)} repeats (grey)")  # fmt: skip
            else:
                axes.plot(*self.curves[0], color=PALETTE["no tumour"], linewidth=2.2, label="model")
            axes.plot(*self.operating_point, "D", color=PALETTE["tumour"], markersize=9,
                      markeredgecolor="black", clip_on=False, zorder=5,
                      label=f"operating point (threshold {self.threshold:.3g})")  # fmt: skip
            axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal",
                     xlabel="1 − specificity (share of false alarms)",
                     ylabel="Sensitivity (share of tumours found)")  # fmt: skip
            axes.set_title(
                f"ROC: AUC {self.auc.value:.3f} ({self.auc.low:.3f} to {self.auc.high:.3f})"
            )
            axes.legend(loc="lower right", fontsize=9.5)
            self._remember(axes)
        return self
