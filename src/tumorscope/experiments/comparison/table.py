"""The rows of a comparison → CSV, JSON and a page."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from tumorscope.common.cores import cores
from tumorscope.common.csv_files import write_csv
from tumorscope.common.files import write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import versions
from tumorscope.experiments.comparison.measure import FROZEN, STEP
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.networks.systems import System
from tumorscope.reports import Section, figure_html, table_html, write_page
from tumorscope.reports.displays.comparison import ComparisonDisplay, CostDisplay
from tumorscope.reports.drawing import draw
from tumorscope.statistics.metrics import NAMES

QUALITY = ("accuracy", "auc", "sensitivity", "specificity", "log_loss", "ece")
"""Metrics of the table, each with its 95 % interval."""

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
    note : str
        Why not, and the command that measures it.
    missing : bool
        Whether it should have been measured, and could not be: no weights, or it diverged.
    """

    system: System
    cost: Mapping[str, Any]
    quality: Mapping[str, Any] | None
    note: str = ""
    missing: bool = False

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
                _number(row.cost["latency_ms"]),
                _estimate(row, "accuracy").replace("\u2060", "") or "-",
                _estimate(row, "auc").replace("\u2060", "") or "-",
            )
            for row in self.rows
        ]
        widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
        return "\n".join(
            "  ".join(
                f"{cell:<{width}}" if column in (0, 4, 5) else f"{cell:>{width}}"
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in (head, *lines)
        )

    def to_json(self) -> dict[str, object]:
        """Return the rows as plain values."""
        return {
            "folder": str(self.folder),
            "missing": [row.system.name for row in self.missing],
            "rows": [_document(row) for row in self.rows],
        }


def write_comparison(
    rows: Sequence[Row],
    folder: Path,
    *,
    protocol: Mapping[str, object],
    unreadable: tuple[str, ...] = (),
    passed_over: PassedOver | None = None,
) -> Comparison:
    """Write comparison.csv, comparison.json and comparison.html into `folder`.

    Raises
    ------
    OutputError
        If `folder` cannot be written to.
    """
    machine = {"processor": platform.machine(), "cores": cores(), **versions()}
    write_csv(
        folder / "comparison.csv",
        COLUMNS,
        [
            {key: "" if value is None else value for key, value in row.to_record().items()}
            for row in rows
        ],
    )
    write_json(
        folder / "comparison.json",
        {
            "notice": RESEARCH_USE_ONLY,
            "protocol": dict(protocol),
            "machine": machine,
            "rows": [_document(row) for row in rows],
        },
    )
    measured = [row for row in rows if row.quality is not None]
    sections = [
        Section("Quality", _quality(rows)),
        Section("Cost", _cost(rows)),
        Section("The systems", _systems(rows)),
        Section("How this was measured", _how(protocol, machine)),
    ]
    if len(measured) > 1:
        sections.insert(1, Section("Quality against cost", _against(measured)))
    write_page(
        folder / "comparison.html",
        title=f"Comparison of {len(rows)} systems",
        lead=_lead(rows, measured, protocol),
        sections=sections,
        footer="Every number is in comparison.json and comparison.csv.",
    )
    return Comparison(rows, folder, unreadable, passed_over or PassedOver())


def _document(row: Row) -> dict[str, object]:
    quality = None
    if row.quality is not None:
        quality = {
            key: value for key, value in row.quality.items() if key not in ("protocol", "given")
        }
    return {
        "system": row.system.name,
        "title": row.system.title,
        "citation": row.system.citation,
        "remark": row.system.remark,
        "cost": dict(row.cost),
        "quality": quality,
        "note": row.note,
        "missing": row.missing,
    }


def _lead(rows: Sequence[Row], measured: Sequence[Row], protocol: Mapping[str, object]) -> str:
    words = (
        "Every system follows the same recipe on the same grouped folds. Quality is that of raw "
        "scores, called at 0.5, so it measures recipes; a detector has a calibration and an "
        "operating point of its own. "
    )
    if not measured:
        words = "Costs only: nothing here says which system is better. "
    elif len(measured) < len(rows):
        words += (
            f"Quality was measured for {len(measured)} of {len(rows)}; where starting weights "
            "were not to be had the cell is empty, because a pretrained network trained from "
            "random weights is another system. "
        )
    if len(measured) > 1:
        words += (
            "All are tested on the same images; where two intervals overlap widely, these images "
            "cannot tell the two systems apart. "
        )
    return f"<p>{escape(words)}Recipe <code>{escape(str(protocol['recipe']))}</code>.</p>"


def _quality(rows: Sequence[Row]) -> str:
    header = ("System", *(NAMES[name] for name in QUALITY), "Starting weights")
    lines = []
    for row in rows:
        cells = [_estimate(row, name) for name in QUALITY]
        origin = (
            "" if row.quality is None else re.sub(r" \(sha256 .*?\)", "", row.quality["weights"])
        )
        lines.append((row.system.title, *cells, origin))
    notes = "".join(
        f"<li><b>{escape(row.system.title)}</b>: {_with_command(row.note)}</li>"
        for row in rows
        if row.note
    )
    table = table_html(header, lines)
    return table + (f"<h3>Not measured</h3><ul>{notes}</ul>" if notes else "")


def _with_command(note: str) -> str:
    words, found, command = note.partition("tumorscope compare")
    return escape(words) + (f"<code>{escape(found + command)}</code>" if found else "")


def _cost(rows: Sequence[Row]) -> str:
    header = ("System", "Input (px)", "Parameters (M)", "GMAC", "One image (ms)", "Engine",
              "Frozen pass (images/s)", "Training (images/s)", "One fold (s)")  # fmt: skip
    lines = [
        (
            row.system.title,
            str(row.cost["input_px"]),
            f"{row.cost['parameters'] / 1e6:.2f}",
            f"{row.cost['gmac']:.3g}",
            _number(row.cost["latency_ms"]),
            str(row.cost["latency_engine"]),
            _number(row.cost["frozen_images_per_s"]),
            _number(row.cost["tuning_images_per_s"]),
            _number(None if row.quality is None else row.quality["seconds_per_fold"]),
        )
        for row in rows
    ]
    display = CostDisplay.from_rows(
        [row.system.title for row in rows],
        parameters=[row.cost["parameters"] for row in rows],
        gmac=[row.cost["gmac"] for row in rows],
        latency_ms=[row.cost["latency_ms"] for row in rows],
    )
    picture = figure_html(
        draw(
            display,
            "Cheapest first. All three axes are logarithmic. Parameters are those of the network "
            "with its head, which is not the one that it was published with.",
            alt="Parameters, arithmetic and latency of each system",
        )
    )
    return table_html(header, lines, numeric=(2, 3, 4, 6, 7, 8)) + picture


def _against(measured: Sequence[Row]) -> str:
    pictures = []
    for name in ("auc", "accuracy"):
        estimates = [row.quality["metrics"][name] for row in measured if row.quality is not None]
        display = ComparisonDisplay.from_rows(
            [row.system.title for row in measured],
            cost=[row.cost["gmac"] for row in measured],
            values=[each["value"] for each in estimates],
            low=[each["low"] for each in estimates],
            high=[each["high"] for each in estimates],
            quality=NAMES[name],
        )
        pictures.append(
            figure_html(
                draw(
                    display,
                    f"{NAMES[name]} with its 95 % interval against the arithmetic of one image. "
                    "Systems of about the same cost are drawn beside each other; the table below "
                    "has the exact cost.",
                )
            )
        )
    return "".join(pictures)


def _systems(rows: Sequence[Row]) -> str:
    lines = [(row.system.title, row.system.citation, row.system.remark) for row in rows]
    return table_html(("System", "Published", "Here"), lines)


def _how(protocol: Mapping[str, object], machine: Mapping[str, object]) -> str:
    facts = {**protocol, **machine}
    words = (
        "Each system gets the input size and scaling that its ImageNet weights expect, and the "
        "head, augmentation, epochs and learning rates of the recipe; frozen features get its "
        "preprocessing and class weights. Tops with 1000 classes are left out. "
        "GMAC: multiply-accumulates of convolutions and dense layers. One image: median of one "
        "prepared image through the network on all cores. Frozen pass: a pass of "
        f"{FROZEN} images as training runs frozen layers. Training: Adam through all layers in "
        f"steps of {STEP} images. Timings hold for this machine and whatever else ran on it."
    )
    lines = [(key.replace("_", " "), str(value)) for key, value in facts.items()]
    return f"<p>{escape(words)}</p>" + table_html(("", ""), lines)


def _estimate(row: Row, name: str) -> str:
    if row.quality is None:
        return ""
    found = row.quality["metrics"][name]
    if found["value"] is None:
        return ""
    if found["low"] is None:
        return f"{found['value']:.3f}"
    # Word joiners keep an interval on one line.
    return f"{found['value']:.3f} ({found['low']:.3f}\u2060–\u2060{found['high']:.3f})"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
