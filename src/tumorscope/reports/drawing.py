"""What every figure is drawn with, in the style of the reports, and how it becomes PNG and SVG."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tumorscope.common.errors import UsageError
from tumorscope.common.files import atomic_path
from tumorscope.reports.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

PALETTE = {
    "tumour": "#D55E00",
    "no tumour": "#0072B2",
    "accent": "#009E73",
    "warning": "#E69F00",
    "grey": "#6B7280",
    "ink": "#1F2937",
}
"""Okabe and Ito's colours, which differ for people with every common kind of colour blindness."""

STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": PALETTE["grey"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#E5E7EB",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 144,
    # Without it the names inside an SVG are random.
    "svg.hashsalt": "tumorscope",
}

ROW_HEIGHT = 0.34
"""Inches per row of a drawn table."""


def _load_matplotlib() -> None:
    """Import matplotlib whatever backend it is told to use: figures here need none.

    A shell that was opened from a notebook inherits ``MPLBACKEND``, which may name what other
    environments lack; matplotlib cannot be imported then.
    """
    if "matplotlib" in sys.modules:
        return
    log = logging.getLogger("matplotlib")
    if log.level == logging.NOTSET:
        log.setLevel(logging.ERROR)  # it says where it keeps its cache if $HOME is read-only
    asked = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib as mpl
    finally:
        if asked is not None:
            os.environ["MPLBACKEND"] = asked
    if asked:
        with contextlib.suppress(ValueError):
            mpl.rcParams["backend"] = asked  # for figures of the caller's own


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Draw every figure inside the block in the style of the reports."""
    _load_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def new_figure(width: float = 6.4, height: float = 4.4) -> Figure:
    """Return an empty figure, in inches, that needs no display and no pyplot state."""
    _load_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def figure_png(figure: Figure) -> bytes:
    """Render a figure as PNG."""
    buffer = io.BytesIO()
    # Without the version in its metadata the same figure has the same bytes everywhere.
    figure.savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()


def figure_svg(figure: Figure) -> bytes:
    """Render a figure as SVG, its letters as outlines, so that it looks alike everywhere."""
    buffer = io.BytesIO()
    nothing = {"Date": None, "Creator": None}  # so that the same figure has the same bytes
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=nothing)
    return buffer.getvalue()


class Display:
    """Base of all figures: the numbers are attributes; `plot` draws them and returns `self`.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        There after `plot`.
    """

    figure_: Figure
    ax_: Axes

    def plot(self, ax: Axes | None = None) -> Display:
        """Draw into `ax`, or into a figure of its own."""
        raise NotImplementedError

    def _remember(self, ax: Axes) -> None:
        self.ax_, self.figure_ = ax, cast("Figure", ax.figure)


def draw(display: Display, caption: str, *, stem: Path | None = None, alt: str = "") -> Picture:
    """Draw a display in house style, and return it as a picture for a page.

    Parameters
    ----------
    display : Display
        Not plotted yet.
    caption, alt : str
        As in `tumorscope.reports.picture.Picture`.
    stem : Path, optional
        Also writes ``stem.png`` and ``stem.svg``.
    """
    with house_style():
        figure = display.plot().figure_
        png = figure_png(figure)
        if stem is not None:
            figure.set_layout_engine("none")  # the places are found; finding them again takes time
            for suffix, data in ((".png", png), (".svg", figure_svg(figure))):
                with atomic_path(stem.with_name(stem.name + suffix)) as temporary:
                    temporary.write_bytes(data)
    return Picture.of_png(png, caption, alt=alt)


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
