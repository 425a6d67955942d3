"""The shell of every HTML report: one self-contained file, no network, no scripts needed."""

from tumorscope.reports.page import (
    PALETTE,
    Section,
    figure_html,
    figure_png,
    grey_uri,
    table_html,
    write_page,
)

__all__ = [
    "PALETTE",
    "Section",
    "figure_html",
    "figure_png",
    "grey_uri",
    "table_html",
    "write_page",
]
