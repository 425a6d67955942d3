"""Pieces of HTML for pages that are not templates yet; goes with the last of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tumorscope.reports.page import render, write_html
from tumorscope.reports.picture import Picture
from tumorscope.reports.text import no_break


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report.

    Attributes
    ----------
    title : str
        Plain text.
    html : str
        The body, already escaped.
    """

    title: str
    html: str


def figure_html(picture: Picture) -> str:
    """Return a drawn figure with its caption."""
    return render("reports/piece.html", kind="figure", picture=picture)


def gallery_html(pictures: Sequence[Picture]) -> str:
    """Return a row of thumbnails."""
    return render("reports/piece.html", kind="gallery", pictures=pictures)


def table_html(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = ()
) -> str:
    """Return an HTML table; cells are escaped, columns in `numeric` are right-aligned."""
    return render("reports/piece.html", kind="table", header=header, rows=rows, numeric=numeric)


def fact_table(facts: Mapping[str, str]) -> str:
    """Return names and values as an HTML table."""
    return table_html(("", ""), list(facts.items()))


def paragraph(text: str) -> str:
    """Return plain text as an HTML paragraph."""
    return f"<p>{safe(text)}</p>"


def safe(text: str) -> str:
    """Return plain text as HTML in which no number is separated from its percent sign."""
    return escape(no_break(text))


def write_page(
    path: Path,
    *,
    title: str,
    lead: str,
    sections: Sequence[Section],
    warning: str | None = None,
    footer: str = "",
) -> None:
    """Write a page of sections; `lead` is HTML, and the rest plain text."""
    from markupsafe import Markup

    write_html(
        path,
        "reports/sections.html",
        title=title,
        warning=warning,
        footer=footer,
        lead=Markup(lead),
        sections=[Section(each.title, Markup(each.html)) for each in sections],
    )
