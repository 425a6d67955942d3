"""The rows of a comparison → CSV, JSON and a page."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from tumorscope.common.cores import cores
from tumorscope.common.csv_files import write_csv
from tumorscope.common.files import write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import versions
from tumorscope.experiments.comparison.measure import FROZEN, STEP
from tumorscope.experiments.comparison.table import (
    COLUMNS,
    QUALITY,
    Comparison,
    Row,
    estimate_text,
    row_document,
    short_number,
)
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.reports.displays.comparison import ComparisonDisplay, CostDisplay
from tumorscope.reports.drawing import draw
from tumorscope.reports.page import write_html
from tumorscope.reports.picture import Picture
from tumorscope.statistics.metrics import NAMES

COSTS = ("System", "Input (px)", "Parameters (M)", "GMAC", "One image (ms)", "Engine",
         "Frozen pass (images/s)", "Training (images/s)", "One fold (s)")  # fmt: skip
"""Headings of the table of costs."""


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
            "rows": [row_document(row) for row in rows],
        },
    )
    measured = [row for row in rows if row.quality is not None]
    write_html(
        folder / "comparison.html",
        "experiments/comparison.html",
        title=f"Comparison of {len(rows)} systems",
        footer="Every number is in comparison.json and comparison.csv.",
        rows=rows,
        measured=len(measured),
        protocol=protocol,
        quality_header=("System", *(NAMES[name] for name in QUALITY)),
        quality=[_quality(row) for row in rows],
        against=[_against(measured, name) for name in ("auc", "accuracy")]
        if len(measured) > 1
        else [],
        cost_header=COSTS,
        cost=[_cost(row) for row in rows],
        costs=_costs(rows),
        systems=[_system(row) for row in rows],
        images_of_pass=FROZEN,
        images_of_step=STEP,
        details={key.replace("_", " "): value for key, value in {**protocol, **machine}.items()},
    )
    return Comparison(rows, folder, unreadable, passed_over or PassedOver())


def _quality(row: Row) -> tuple[str, ...]:
    return (row.system.title, *(estimate_text(row, name) for name in QUALITY))


def _system(row: Row) -> tuple[str, ...]:
    weights = "; ".join(origin.name for origin in row.weights)
    return (row.system.title, row.system.citation, row.system.remark, weights)


def _cost(row: Row) -> tuple[str, ...]:
    cost = row.cost
    return (
        row.system.title,
        str(cost["input_px"]),
        f"{cost['parameters'] / 1e6:.2f}",
        f"{cost['gmac']:.3g}",
        short_number(cost["latency_ms"]),
        str(cost["latency_engine"]),
        short_number(cost["frozen_images_per_s"]),
        short_number(cost["tuning_images_per_s"]),
        short_number(None if row.quality is None else row.quality["seconds_per_fold"]),
    )


def _costs(rows: Sequence[Row]) -> Picture:
    display = CostDisplay.from_rows(
        [row.system.title for row in rows],
        parameters=[row.cost["parameters"] for row in rows],
        gmac=[row.cost["gmac"] for row in rows],
        latency_ms=[row.cost["latency_ms"] for row in rows],
    )
    return draw(
        display,
        "Cheapest first. All three axes are logarithmic. Parameters are those of the network with "
        "its head, which is not the one that it was published with.",
        alt="Parameters, arithmetic and latency of each system",
    )


def _against(measured: Sequence[Row], name: str) -> Picture:
    estimates = [row.quality["metrics"][name] for row in measured if row.quality is not None]
    display = ComparisonDisplay.from_rows(
        [row.system.title for row in measured],
        cost=[row.cost["gmac"] for row in measured],
        values=[each["value"] for each in estimates],
        low=[each["low"] for each in estimates],
        high=[each["high"] for each in estimates],
        quality=NAMES[name],
    )
    return draw(
        display,
        f"{NAMES[name]} with its 95 % interval against the arithmetic of one image. Systems of "
        "about the same cost are drawn beside each other; the table below has the exact cost.",
    )
