"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.statistics.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What `evaluate` or `crossval_types` found.

    Attributes
    ----------
    metrics : Metrics
        With intervals.
    report : Path
        The HTML file to open.
    manifest : Manifest
        The images that were scored.
    scores : ndarray of float64, shape (n,) or (n, classes)
        Probability of tumour, or of each of several classes, in the order of `manifest`; of a
        cross-validation of tumour types (n, repeats, classes).
    unreadable : tuple of str
        Files that could not be read and were left out.
    passed_over : PassedOver
        What of a folder was not looked at, by reason.
    """

    metrics: Metrics
    report: Path
    manifest: Manifest
    scores: NDArray[np.float64]
    unreadable: tuple[str, ...] = ()
    passed_over: PassedOver = field(default_factory=PassedOver, compare=False)

    @property
    def folder(self) -> Path:
        """Holds report.html, metrics.json and figures/."""
        return self.report.parent


TypeEvaluation = Evaluation
"""The name that this had for tumour types in version 0.1."""
