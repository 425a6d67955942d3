"""Does 80 % mean 80 %? Predicted probability against the share of tumours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tumorscope.reports.drawing import PALETTE, Display, canvas
from tumorscope.statistics.calibration_error import (
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
)
from tumorscope.statistics.two_classes import check_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class ReliabilityDisplay(Display):
    """A reliability diagram.

    Attributes
    ----------
    bins : sequence of ReliabilityBin
        Of equally many images, lowest probability first.
    ece : float
        Expected calibration error, the mean over repeats.
    """

    bins: Sequence[ReliabilityBin]
    ece: float

    @classmethod
    def from_predictions(cls, labels: ArrayLike, scores: ArrayLike) -> ReliabilityDisplay:
        """Compute bins from labels [n] and scores [n] or [n, repeats]."""
        truth, columns = check_scores(labels, scores)
        errors = [expected_calibration_error(truth, column) for column in columns.T]
        return cls(reliability_bins(truth, columns), float(np.mean(errors)))

    def plot(self, ax: Axes | None = None) -> ReliabilityDisplay:
        """Draw the share of tumours by predicted probability, with Wilson's intervals."""
        x = np.array([point.predicted for point in self.bins])
        y = np.array([point.observed.value for point in self.bins])
        reach = [
            y - [point.observed.low for point in self.bins],
            np.array([point.observed.high for point in self.bins]) - y,
        ]
        sizes = sorted({round(point.count) for point in self.bins})
        images = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        with canvas(ax, width=5.6, height=5.4) as axes:
            axes.plot([0, 1], [0, 1], ":", color=PALETTE["grey"], label="perfectly calibrated")
            axes.errorbar(x, y, yerr=reach, fmt="o-", color=PALETTE["no tumour"], markersize=7,
                          linewidth=1.2, capsize=3, markeredgecolor="white",
                          label=f"{len(self.bins)} bin{'s' * (len(self.bins) > 1)} of {images} "
                          "images, 95 % interval")  # fmt: skip
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal",
                     xlabel="Predicted probability of a tumour (mean of the bin)",
                     ylabel="Share of tumours in the bin")  # fmt: skip
            axes.set_title(f"Reliability: calibration error {self.ece:.3f}")
            axes.figure.legend(loc="outside lower center", fontsize=9.5, ncols=2)
            self._remember(axes)
        return self
