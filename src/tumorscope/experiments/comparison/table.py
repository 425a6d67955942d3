"""The rows of a comparison, as records and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tumorscope.common.columns import aligned
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.networks.systems import System
from tumorscope.recipes.origin import Weights

QUALITY = ("accuracy", "auc", "sensitivity", "specificity", "log_loss", "ece")
"""Metrics of the table, each with its 95 % interval: by images or by groups, the wider one."""

COST = ("input_px", "parameters", "gmac", "latency_ms", "latency_engine", "frozen_images_per_s",
        "tuning_images_per_s")  # fmt: skip

COLUMNS = (
    "system",
    "title",
    "citation",
    *COST,
    "seconds_per_fold",
    "weights",
    "images",
    *(f"{name}{end}" for name in QUALITY for end in ("", "_low", "_high")),
    "note",
)
"""Of comparison.csv."""


@dataclass(frozen=True, slots=True)
class Row:
    """One system of a comparison.

    Attributes
    ----------
    system : System
        Which.
    cost : mapping
        As `tumorscope.experiments.comparison.measure.Cost.to_json`.
    quality : mapping or None
        Metrics with intervals, images, starting weights, seconds per fold; None where it was not
        measured.
    weights : tuple of Weights
        What it started from, for each backbone; empty where it was not measured.
    why, command : str
        Why not, and what measures it.
    missing : bool
        Whether it should have been measured, and could not be: no weights, or it diverged.
    """

    system: System
    cost: Mapping[str, Any]
    quality: Mapping[str, Any] | None
    weights: tuple[Weights, ...] = ()
    why: str = ""
    command: str = ""
    missing: bool = False

    @property
    def note(self) -> str:
        """Why it was not measured, and the command that measures it."""
        return self.why + self.command

    def to_record(self) -> dict[str, object]:
        """Return a line of comparison.csv; what was not measured is None."""
        record: dict[str, object] = {
            "system": self.system.name,
            "title": self.system.title,
            "citation": self.system.citation,
            **{name: self.cost[name] for name in COST},
            "note": self.note,
        }
        if self.quality is not None:
            record |= {
                "seconds_per_fold": self.quality["seconds_per_fold"],
                "weights": self.quality["weights"],
                "images": self.quality["n"],
            }
            for name in QUALITY:
                for end, key in (("", "value"), ("_low", "low"), ("_high", "high")):
                    value = self.quality["metrics"][name][key]
                    record[name + end] = None if value is None else round(value, 4)
        return record


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    rows : sequence of Row
        In the order that was asked for.
    folder : Path
        Holds comparison.csv, comparison.json, comparison.html and systems/.
    unreadable : tuple of str
        Files that could not be read and were left out.
    passed_over : PassedOver
        What of a folder was not looked at, by reason.
    """

    rows: Sequence[Row]
    folder: Path
    unreadable: tuple[str, ...] = ()
    passed_over: PassedOver = field(default_factory=PassedOver, compare=False)

    @property
    def missing(self) -> list[Row]:
        """Rows that should have been measured and could not be."""
        return [row for row in self.rows if row.missing]

    def table(self) -> str:
        """Return an aligned table for the terminal."""
        head = ("system", "M params", "GMAC", "ms/image", "accuracy (95 %)", "AUC (95 %)")
        lines = [
            (
                row.system.name,
                f"{row.cost['parameters'] / 1e6:.1f}",
                f"{row.cost['gmac']:.2f}",
                short_number(row.cost["latency_ms"]),
                estimate_text(row, "accuracy").replace("\u2060", "") or "-",
                estimate_text(row, "auc").replace("\u2060", "") or "-",
            )
            for row in self.rows
        ]
        return aligned([head, *lines], right=(1, 2, 3))

    def to_json(self) -> dict[str, object]:
        """Return the rows as plain values."""
        return {
            "folder": str(self.folder),
            "missing": [row.system.name for row in self.missing],
            "rows": [row_document(row) for row in self.rows],
        }


def row_document(row: Row) -> dict[str, object]:
    """Return a row as plain values, for comparison.json."""
    return {
        "system": row.system.name,
        "title": row.system.title,
        "citation": row.system.citation,
        "remark": row.system.remark,
        "cost": dict(row.cost),
        "quality": None if row.quality is None else dict(row.quality),
        "note": row.note,
        "missing": row.missing,
    }


def estimate_text(row: Row, name: str) -> str:
    """Return a metric of a system with its interval; "" where it was not measured."""
    if row.quality is None:
        return ""
    found = row.quality["metrics"][name]
    if found["value"] is None:
        return ""
    if found["low"] is None:
        return f"{found['value']:.3f}"
    # Word joiners keep an interval on one line.
    return f"{found['value']:.3f} ({found['low']:.3f}\u2060–\u2060{found['high']:.3f})"


def short_number(value: float | None) -> str:
    """Return a number of three digits or so; "" for None.

    Examples
    --------
    >>> short_number(4.5678), short_number(1234.5), short_number(None)
    ('4.57', '1,234', '')
    """
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
