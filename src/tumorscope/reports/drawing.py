"""Figures in the style of the reports, as PNG and SVG with the same bytes each time."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tumorscope.common.files import atomic_path
from tumorscope.reports.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def _load_matplotlib() -> None:
    """Import matplotlib whatever backend it is told to use: figures here need none.

    A shell that was opened from a notebook inherits ``MPLBACKEND``, which may name what other
    environments lack; matplotlib cannot be imported then.
    """
    if "matplotlib" in sys.modules:
        return
    told = logging.getLogger("matplotlib")
    if told.level == logging.NOTSET:
        told.setLevel(logging.ERROR)  # it tells where it keeps its cache if $HOME is read-only
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
