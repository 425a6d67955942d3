"""Templates and records → HTML pages that are whole in one file: no network, no script needed.

A template lies in the folder ``templates`` of the room whose page it is and is named by room and
file, as in ``auditing/audit.html``. A page extends ``reports/base.html``; the building blocks are
in ``reports/macros.html``. What a template receives are records, never HTML: everything that is
printed is escaped.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.files import write_text
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.words import counted
from tumorscope.reports.text import no_break, percent, percents, shown, shown_apart
from tumorscope.statistics import Interval

if TYPE_CHECKING:
    from jinja2 import Environment


class Contents:
    """The sections of a page, noted by the macro ``section`` while they are written."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def add(self, title: str) -> int:
        """Note a section, and return its number from 1."""
        self.titles.append(title)
        return len(self.titles)


def render(template: str, **records: object) -> str:
    """Return what a template makes of records.

    Parameters
    ----------
    template : str
        ``ROOM/FILE``, such as ``reports/evaluation.html``.
    **records
        Under the names by which the template knows them.
    """
    return (
        _environment()
        .get_template(template)
        .render(notice=RESEARCH_USE_ONLY, contents=Contents(), **records)
    )


def write_html(
    path: Path,
    template: str,
    *,
    title: str,
    warning: str | None = None,
    footer: str = "",
    **records: object,
) -> None:
    """Write a page, whole or not at all.

    Parameters
    ----------
    path : Path
        Where to.
    template : str
        As for `render`; extends ``reports/base.html``.
    title, footer : str
        Plain text.
    warning : str, optional
        In a box above everything, where results mislead (leaky splits, seen images).
    **records
        As for `render`.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    html = render(template, title=title, warning=warning, footer=footer, **records)
    write_text(path, html + "\n")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=lambda name: not (name or "").endswith(".md"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"no_break": no_break, "percent": percent, "plural": counted}
    environment.tests["interval"] = lambda found: isinstance(found, Interval)
    environment.globals |= {"shown": shown, "shown_apart": shown_apart, "percents": percents}
    return environment


def _source(template: str) -> str:
    room, _, name = template.partition("/")
    return files(f"tumorscope.{room}").joinpath("templates", name).read_text("utf-8")
