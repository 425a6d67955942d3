"""Metrics as a table for spreadsheets and other programs: a line for each value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tumorscope.common.csv_files import write_csv
from tumorscope.statistics.estimate import Estimate
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.two_classes import BY_IMAGES

COLUMNS = ("name", "part", "value", "low", "high", "method", "unit", "n", "reason")


def write_metrics_csv(path: Path, metrics: Metrics) -> None:
    """Write ``metrics.csv``, whole or not at all.

    The column ``part`` says of which images or answers a value is (``all``, ``answered``, ``raw``,
    ``source NAME``, ``class NAME``), and ``unit`` what its interval counts: images, or groups.
    """
    write_csv(path, COLUMNS, records_of(metrics))


def records_of(metrics: Metrics, part: str = "all") -> Iterator[dict[str, object]]:
    """Yield the lines of ``metrics.csv``."""
    n, two = metrics.n, metrics.two_classes
    for name, found in metrics.metrics.items():
        yield _line(name, part, found, n, unit="images" if two and name in BY_IMAGES else "groups")
    for name, found in metrics.by_group.items():
        yield _line(name, part, found, n, unit="groups")
    for name, share in {"abstained": metrics.abstained, "refused": metrics.refused}.items():
        if share is not None:
            yield _line(name, part, share, n, unit="images")
    for class_name, of_class in metrics.per_class.items():
        for name, found in of_class.items():
            yield _line(name, f"class {class_name}", found, n, unit="groups")
    for name, below in {"answered": metrics.answered, "raw": metrics.raw}.items():
        if below is not None:
            yield from records_of(below, name)
    for name, below in metrics.per_source.items():
        yield from records_of(below, f"source {name}")


def _line(name: str, part: str, found: Estimate, n: int, *, unit: str) -> dict[str, object]:
    return {"name": name, "part": part, "n": n, "unit": unit, **found.to_json()}
