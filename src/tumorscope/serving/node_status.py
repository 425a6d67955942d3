"""How a node is doing: two files in its spool, for `--status` and for Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.files import write_json, write_text
from tumorscope.serving.tally import MEANING

STATUS = "status.json"
METRICS = "metrics.prom"

BEAT_SECONDS = 5.0
"""How often a node writes both."""

STALE_SECONDS = 30.0
"""A status that is older is that of a node which does not run."""

FAILING_AFTER = 3
"""Attempts to deliver, one after the other, after which somebody should look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """How a node is doing.

    Attributes
    ----------
    state : str
        running or stopped.
    beat : float
        When this was written, in seconds since 1970.
    started : float
        When the node was.
    title, host : str
        How it is called, and where it listens.
    port : int
        As well.
    model : str
        Which model answers.
    open_series, undelivered, spool_bytes : int
        Series that wait for an answer, answers that wait for delivery, and what lies in the spool.
    failures_in_a_row : int
        Attempts to deliver since the last that succeeded.
    last_failure : str
        Why the last attempt failed.
    counts : mapping
        See `tumorscope.serving.tally.MEANING`.
    """

    state: str
    beat: float
    started: float
    title: str
    host: str
    port: int
    model: str
    open_series: int
    undelivered: int
    spool_bytes: int
    failures_in_a_row: int
    last_failure: str
    counts: Mapping[str, int]

    def write(self, spool: Path) -> None:
        """Write both files, each whole or not at all."""
        write_json(spool / STATUS, asdict(self))
        write_text(spool / METRICS, self.metrics())

    def metrics(self) -> str:
        """Return the numbers in the text format of Prometheus."""
        lines: list[str] = []
        for name, number in self.counts.items():
            meaning = {str(key): words for key, words in MEANING.items()}.get(name, "")
            lines += _metric(f"{name}_total", number, "counter", meaning)
        lines += _metric("open_series", self.open_series, "gauge", "Series without an answer.")
        lines += _metric("undelivered", self.undelivered, "gauge", "Answers to be delivered.")
        lines += _metric("spool_bytes", self.spool_bytes, "gauge", "Bytes in the spool.")
        failures = "Failed attempts to deliver since the last that succeeded."
        lines += _metric("failures_in_a_row", self.failures_in_a_row, "gauge", failures)
        lines += _metric("beat_seconds", round(self.beat), "gauge", "When this was written.")
        return "\n".join(lines) + "\n"

    def trouble(self, now: float | None = None) -> str:
        """Return what is wrong, as a sentence; empty where nothing is."""
        age = (time.time() if now is None else now) - self.beat
        if self.state != "running":
            return "The node was stopped."
        if age > STALE_SECONDS:
            return f"The node does not run: it last said something {age:.0f} s ago."
        if age < -STALE_SECONDS:  # one that runs says something by the new clock at once
            return (
                f"The node does not run: what it last said is dated {-age:.0f} s from now, so the "
                "clock was set back."
            )
        if self.failures_in_a_row >= FAILING_AFTER:
            return (
                f"Results cannot be delivered: {self.last_failure}, "
                f"{self.failures_in_a_row} times in a row. They are kept."
            )
        return ""

    def words(self, now: float | None = None) -> str:
        """Return this for people."""
        counts = self.counts
        refused = sum(number for name, number in counts.items() if name.startswith("refused_"))
        why = " (a title that is not allowed, or too many at once)" if counts["rejected"] else ""
        lines = [
            self.trouble(now) or f"{self.title} listens on {self.host}:{self.port}.",
            f"Associations: {counts['associations']} accepted, {counts['rejected']} rejected{why}.",
            f"Instances: {counts['received']} received, {counts['repeated']} again, "
            f"{refused} refused.",
            f"Series: {self.open_series} waiting, {counts['series_answered']} answered, "
            f"{counts['series_passed_over']} with nothing to look at, "
            f"{counts['series_failed']} failed.",
            f"Results: {counts['results_delivered']} delivered; {self.undelivered} "
            f"{'answer waits' if self.undelivered == 1 else 'answers wait'}.",
            f"Spool: {self.spool_bytes / 1e6:,.1f} MB.",
        ]
        return "\n".join(lines)


def read_status(spool: Path) -> NodeStatus:
    """Return what a node wrote last.

    Raises
    ------
    InputError
        If no node ever ran there, or what it wrote cannot be read.
    """
    path = spool / STATUS
    try:
        return NodeStatus(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise InputError(
            f"Received the spool {spool}, where no node wrote a status; expected the folder that "
            "`tumorscope dicom-node --spool` names while it runs. Check the path, or start it."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"Received the spool {spool}, whose {STATUS} cannot be read ({type(error).__name__}); "
            "expected what a node of this version writes. Start the node again."
        ) from error


def _metric(name: str, value: int, kind: str, meaning: str) -> list[str]:
    full = f"tumorscope_node_{name}"
    return [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}", f"{full} {value}"]
