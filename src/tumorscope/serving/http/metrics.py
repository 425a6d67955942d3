"""What the service counts of itself, as text for Prometheus; no names, no ids."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Seconds from a request's last byte to its answer."""


class Metrics:
    """Counters, which threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._responses: Counter[int] = Counter()
        self._decisions: Counter[str] = Counter()
        self._jobs: Counter[str] = Counter()
        self._seconds: Counter[float] = Counter()
        self._bytes, self._sum = 0, 0.0

    def response(self, status: int) -> None:
        """Count a response."""
        with self._lock:
            self._responses[status] += 1

    def received(self, size: int) -> None:
        """Count the bytes of a request."""
        with self._lock:
            self._bytes += size

    def answered(self, state: str, seconds: float, decisions: Mapping[str, int]) -> None:
        """Count a request for findings that has ended."""
        with self._lock:
            self._jobs[state] += 1
            self._sum += seconds
            self._seconds[next((each for each in BUCKETS if seconds <= each), float("inf"))] += 1
            self._decisions.update(decisions)

    def text(self, gauges: Mapping[str, float]) -> str:
        """Return all of it; `gauges` are what has a value at present."""
        with self._lock:
            lines = [
                *_counter("http_responses_total", "code", self._responses),
                *_counter("decisions_total", "decision", self._decisions),
                *_counter("requests_ended_total", "state", self._jobs),
                "# TYPE tumorscope_received_bytes_total counter",
                f"tumorscope_received_bytes_total {self._bytes}",
                *self._histogram(),
            ]
        for name, value in {**gauges, "resident_memory_bytes": _resident()}.items():
            lines += [f"# TYPE tumorscope_{name} gauge", f"tumorscope_{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "tumorscope_request_seconds"
        lines, total = [f"# TYPE {name} histogram"], 0
        for edge in (*BUCKETS, float("inf")):
            total += self._seconds[edge]
            label = "+Inf" if edge == float("inf") else f"{edge:g}"
            lines.append(f'{name}_bucket{{le="{label}"}} {total}')
        return [*lines, f"{name}_sum {self._sum:.6g}", f"{name}_count {total}"]


def _counter(name: str, label: str, counts: Mapping[int, int] | Mapping[str, int]) -> list[str]:
    lines = [f"# TYPE tumorscope_{name} counter"]
    return lines + [
        f'tumorscope_{name}{{{label}="{key}"}} {count}' for key, count in sorted(counts.items())
    ]


def _resident() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, IndexError, ValueError):  # not Linux
        return 0.0
    return float(pages * 4096)
