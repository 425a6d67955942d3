"""What ``tumorscope predict`` shows of a row: a line on a screen, CSV in a pipe, nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.names import printable

if TYPE_CHECKING:
    from tumorscope.cli.options import Common

Row = dict[str, object]

ON_SCREEN = ("decision", "probability", "ms", "seen", "path")
"""What a terminal has room for; a file or a pipe gets every column."""


def is_screen(common: Common, output: Path | None) -> bool:
    """Return whether rows appear on a terminal, where a bar would overwrite them."""
    return output is None and not common.json and sys.stdout.isatty()


def screen(
    common: Common, output: Path | None, *, columns: Mapping[str, type], pictures: bool
) -> tuple[Callable[[Row], object], list[Row]]:
    """Return what shows a row: nothing beside a table, a list for JSON, or standard output."""
    collected: list[Row] = []
    if output is not None:
        return lambda _: None, collected
    if common.json:
        return collected.append, collected
    if sys.stdout.isatty():
        if pictures:
            print("{:<11}{:>11}  {:>7}  {:<5} {}".format(*ON_SCREEN))
        return _print_line, collected
    from tumorscope.common.csv_files import csv_line
    from tumorscope.detection.tables import cells

    sys.stdout.write(csv_line(columns))
    return lambda row: sys.stdout.write(csv_line(cells(row, columns))), collected


def _print_line(row: Row) -> None:
    (_print_picture if "sha256" in row and "plane" not in row else _print_series)(row)


def _print_picture(row: Row) -> None:
    probability = row["probability"]
    shown = f"{probability:.3f}" if isinstance(probability, float) else "–"
    why = f"  ({row['reasons']})" if row["reasons"] else ""
    print(
        f"{row['decision']:<11}{shown:>11}  {row['ms']:>7.1f}  "
        f"{_yes_no(row['seen']):<5} {printable(str(row['path']))}{why}"
    )


def _print_series(row: Row) -> None:
    value = row.get("score", row.get("probability"))
    shown = f"{value:.2f}" if isinstance(value, float) else "–"
    about = " ".join(str(row.get(name) or "") for name in ("plane", "sequence")).strip()
    why = f"  ({row['reasons']})" if row.get("reasons") else ""
    place = row.get("position", row.get("key_position"))
    at = f"{place:.0f} mm" if isinstance(place, float) else ""
    print(
        f"{row['decision']!s:<11} {shown:>6}  {at:>8}  {about:<16} "
        f"{printable(str(row['path']))}{why}"
    )


def _yes_no(seen: object) -> str:
    return "?" if seen is None else "yes" if seen else "no"
