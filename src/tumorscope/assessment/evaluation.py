"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tumorscope.imaging.passed_over import PassedOver
from tumorscope.statistics.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    metrics : Metrics
        With intervals.
    report : Path
        The HTML file to open.
    unreadable : tuple of str
        Files that could not be read and were left out.
    passed_over : PassedOver
        What of a folder was not looked at, by reason.
    """

    metrics: Metrics
    report: Path
    unreadable: tuple[str, ...] = ()
    passed_over: PassedOver = field(default_factory=PassedOver, compare=False)
