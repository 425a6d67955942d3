"""What a node counts; threads share it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Literal, get_args

Counted = Literal[
    "associations",
    "rejected",
    "received",
    "repeated",
    "conflicting",
    "own",
    "refused_full",
    "refused_large",
    "refused_unreadable",
    "refused_fault",
    "series_answered",
    "series_passed_over",
    "series_failed",
    "results_made",
    "results_delivered",
    "delivery_failures",
    "faults",
]

MEANING: dict[Counted, str] = {
    "associations": "Associations that were accepted.",
    "rejected": "Associations that were rejected: not allowed, or too many at once.",
    "received": "Instances that were new.",
    "repeated": "Instances that were here already, byte for byte.",
    "conflicting": "Instances with the UID of another one, which was kept instead.",
    "own": "Results of tumorscope that came back and were not looked at.",
    "refused_full": "Instances refused for lack of room (status A700).",
    "refused_large": "Instances refused as too large (status A700).",
    "refused_unreadable": "Instances refused as no DICOM that can be read (A900, C000).",
    "refused_fault": "Instances refused because of a fault in the node (status 0110).",
    "series_answered": "Series with at least one finding.",
    "series_passed_over": "Series that hold nothing to look at.",
    "series_failed": "Series of which reading or computing ended the process that did it.",
    "results_made": "DICOM objects made.",
    "results_delivered": "DICOM objects that the receiver accepted.",
    "delivery_failures": "Attempts to deliver that failed.",
    "faults": "Errors of the node itself.",
}
"""What each of them counts, for people."""


class Tally:
    """Numbers that only grow, since the node was started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(dict.fromkeys(get_args(Counted), 0))

    def add(self, what: Counted, number: int = 1) -> None:
        """Count something."""
        with self._lock:
            self._counts[what] += number

    def counts(self) -> dict[str, int]:
        """Return all numbers, in a stable order."""
        with self._lock:
            return dict(self._counts)
