"""What all displays share: a canvas in house style, safe text, plain tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tumorscope.common.errors import UsageError
from tumorscope.reports.drawing import PALETTE, house_style, new_figure
from tumorscope.reports.picture import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

ROW_HEIGHT = 0.34
"""Inches per row of a drawn table."""


@contextlib.contextmanager
def canvas(ax: Axes | None, *, width: float = 6.4, height: float = 4.4) -> Iterator[Axes]:
    """Yield `ax`, or the axes of a new figure (inches), and apply the house style inside."""
    with house_style():
        yield new_figure(width, height).add_subplot() if ax is None else ax


def panels(ax: Axes | None, *, rows: int, columns: int, width: float, height: float) -> list[Axes]:
    """Return rows × columns axes in a new figure (inches), or in the place of `ax`.

    Raises
    ------
    UsageError
        If `ax` was not made by ``subplots`` and so cannot be divided.
    """
    if ax is None:
        figure: Figure | SubFigure = new_figure(width, height)
        cells = [(rows, columns, index + 1) for index in range(rows * columns)]
        return [figure.add_subplot(*cell) for cell in cells]
    place = ax.get_subplotspec()
    if place is None:
        raise UsageError(
            "Received axes that cannot be divided into panels. Expected axes made by "
            "figure.add_subplot() or subplots(). Leave `ax` out to get a figure of its own."
        )
    figure = ax.figure
    ax.remove()
    grid = place.subgridspec(rows, columns)
    return [figure.add_subplot(grid[index // columns, index % columns])
            for index in range(rows * columns)]  # fmt: skip


def plain(text: str, width: int = 40) -> str:
    """Return text that can be drawn: shortened in the middle, other scripts than ours as '?'.

    The font of matplotlib holds Latin, Greek and Cyrillic; for other glyphs it warns and draws
    boxes.
    """
    known = "".join(
        letter if letter.isprintable() and (letter < "\u0530" or "\u2000" < letter < "\u2300")
        else "?" for letter in text
    )  # fmt: skip
    return shorten(known, width)


def draw_table(
    ax: Axes,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    edges: Sequence[float],
    numeric: Sequence[int] = (),
    rules: Sequence[int] = (),
    bold: Sequence[int] = (),
) -> None:
    """Draw a table that fills the axes.

    Parameters
    ----------
    ax : Axes
        Loses its frame.
    header, rows : sequences of str
        The cells.
    edges : sequence of float
        Left edge of each column and the right edge of the last, 0..1.
    numeric : sequence of int
        Columns to be right-aligned.
    rules : sequence of int
        Rows with a line above them.
    bold : sequence of int
        Rows in bold face.
    """
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(len(rows) + 1, 0))
    for number, cells in enumerate((header, *rows)):
        for column, cell in enumerate(cells):
            right = column in numeric
            ax.text(
                edges[column + 1] - 0.01 if right else edges[column] + 0.01,
                number + 0.5,
                cell,
                ha="right" if right else "left",
                va="center",
                color=PALETTE["grey"] if number == 0 else PALETTE["ink"],
                weight="bold" if number == 0 or number - 1 in bold else "normal",
                fontsize=10.5,
                parse_math=False,
            )
    ax.hlines([1], 0, 1, color=PALETTE["ink"], linewidth=1)
    ax.hlines([rule + 1 for rule in rules], 0, 1, color=PALETTE["grey"], linewidth=0.7)
