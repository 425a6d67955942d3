"""Sections, figures and tables → one self-contained HTML file."""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.files import atomic_path, write_text
from tumorscope.common.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = {
    "tumour": "#D55E00",
    "no tumour": "#0072B2",
    "accent": "#009E73",
    "warning": "#E69F00",
    "grey": "#6B7280",
    "ink": "#1F2937",
}
"""Okabe and Ito's colours, told apart with every common kind of colour blindness."""

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
}


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report.

    Attributes
    ----------
    title : str
        Plain text; also names the anchor.
    html : str
        The body, already escaped.
    """

    title: str
    html: str


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


def figure_png(figure: Figure, path: Path | None = None) -> bytes:
    """Render a figure as PNG bytes, and write them to `path` if given."""
    buffer = io.BytesIO()
    # Without the version in its metadata the same figure has the same bytes everywhere.
    figure.savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
    data = buffer.getvalue()
    if path is not None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    return data


def figure_html(png: bytes, caption: str, *, alt: str | None = None) -> str:
    """Return an HTML figure with the picture inside it and a caption under it (plain text)."""
    uri = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img src="{uri}" alt="{escape(alt or caption, quote=True)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def grey_uri(pixels: NDArray[np.uint8], *, edge: int = 112) -> str:
    """Return a thumbnail as a JPEG data URI, its longer edge at most `edge` pixels."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((edge, edge))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def table_html(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = ()
) -> str:
    """Return an HTML table; cells are escaped, columns in `numeric` are right-aligned."""

    def cells(values: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if index in numeric else ''}>{escape(value)}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells(header, "th")}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def write_page(
    path: Path,
    *,
    title: str,
    lead: str,
    sections: Sequence[Section],
    warning: str | None = None,
    footer: str = "",
) -> None:
    """Write the report.

    Parameters
    ----------
    path : Path
        Where to; written whole or not at all.
    title, footer : str
        Plain text.
    lead : str
        HTML of the first paragraph: what a reader in a hurry must know.
    sections : sequence of Section
        In reading order, worst news first.
    warning : str, optional
        Plain text in a box above everything, for figures that mislead (leaky splits, seen images).
    """
    from jinja2 import Environment

    source = files("tumorscope.reports").joinpath("templates/page.html").read_text("utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        source
    )
    html = template.render(
        title=title,
        lead=lead,
        sections=sections,
        warning=warning,
        footer=footer,
        notice=RESEARCH_USE_ONLY,
    )
    write_text(path, html + "\n")
