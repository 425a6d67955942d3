"""What every section of a report is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.reports import figure_html
from tumorscope.reports.drawing import Display, draw
from tumorscope.statistics.metrics import Metrics

if TYPE_CHECKING:
    from tumorscope.reports.inputs import ReportInputs


@dataclass(frozen=True, kw_only=True)
class Material:
    """What the sections are written from.

    Attributes
    ----------
    inputs : ReportInputs
    metrics : Metrics
    labels : ndarray of shape (n,)
    scores : ndarray of shape (n, repeats)
    figures : Path
        Folder of the PNG files.
    doubts : sequence of str
        Worst first.
    """

    inputs: ReportInputs
    metrics: Metrics
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    figures: Path
    doubts: Sequence[str]

    @property
    def mean_scores(self) -> NDArray[np.float64]:
        """Probability of tumour by image, the mean over repeats."""
        return np.asarray(self.scores.mean(axis=1))

    @property
    def both_classes(self) -> bool:
        """Whether there are images with and without a tumour."""
        return 0 < self.metrics.n_positive < self.metrics.n

    def figure(self, name: str, display: Display, caption: str, *, paper: int | None = None) -> str:
        """Write a figure, and return it as HTML with its caption.

        Beside published figures the caption also names the paper's figure that shows the same.
        """
        if paper is not None and self.inputs.published is not None:
            caption += f" (Figure {paper} of the paper)"
        return figure_html(draw(display, caption, stem=self.figures / name))
