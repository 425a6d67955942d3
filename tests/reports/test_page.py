"""Templates: what is printed is escaped, sections number themselves, and nothing is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tumorscope.reports import page
from tumorscope.reports.page import render, write_html
from tumorscope.reports.picture import Picture

TEMPLATE = """
{% extends "reports/base.html" %}
{% from "reports/macros.html" import section with context %}
{% block lead %}{{ lead }}{% endblock %}
{% block body %}
{% for title, words in parts %}
{% call section(title) %}{{ words }}{% endcall %}
{% endfor %}
{% endblock %}
"""


def write(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *parts: tuple[str, str],
    warning: str | None = None,
) -> str:
    source = page._source
    monkeypatch.setattr(page, "_source", lambda name: TEMPLATE if name == "t" else source(name))
    page._environment.cache_clear()
    try:
        write_html(
            path,
            "t",
            title="A <b> & c",
            warning=warning,
            footer="The <end>",
            lead="Lead <1>",
            parts=parts,
        )
    finally:
        page._environment.cache_clear()
    return path.read_text("utf-8")


def piece(call: str, **records: object) -> str:
    """Return what one of the macros makes."""
    names = "{% from 'reports/macros.html' import figure, gallery, table %}"
    return page._environment().from_string(names + "{{ " + call + " }}").render(**records)


def test_a_page_holds_everything_and_escapes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ("One <1>", "a & b"), ("Two", "more")
    html = write(tmp_path / "r.html", monkeypatch, *parts, warning="Leaks & lies")
    assert "<h1>A &lt;b&gt; &amp; c</h1>" in html
    assert '<div class="lead">Lead &lt;1&gt;</div>' in html
    assert "<h2>One &lt;1&gt;</h2>\na &amp; b" in html
    assert '<p class="warning" role="alert">Leaks &amp; lies</p>' in html
    assert "The &lt;end&gt;" in html
    assert html.count("Research use only") == 2


def test_the_contents_name_every_section_that_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ("One", "1"), ("Nothing", "\n "), ("Two", "2")
    html = write(tmp_path / "r.html", monkeypatch, *parts)
    assert re.findall(r'href="#(s\d)">(\w+)<', html) == [("s1", "One"), ("s2", "Two")]
    assert re.findall(r'<section id="(s\d)"', html) == ["s1", "s2"]


def test_a_page_without_warning_has_no_box_and_loads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    html = write(tmp_path / "r.html", monkeypatch)
    assert 'class="warning"' not in html
    assert "http" not in html
    assert "<script" not in html


def test_tables_escape_and_align() -> None:
    html = piece("table(('Name', 'Count'), rows, (1,))", rows=[("<x>", "3")])
    assert "<td>&lt;x&gt;</td>" in html
    assert "<td class=number>3</td>" in html
    assert "<th class=number>Count</th>" in html


def test_figures_and_thumbnails_escape_what_a_file_is_called() -> None:
    hostile = '"><script>alert(1)</script>.png'
    drawn = Picture(uri="data:,", caption="95 % <sure>", alt='say "so"')
    html = piece("figure(drawn)", drawn=drawn)
    assert "<figcaption>95\N{NO-BREAK SPACE}% &lt;sure&gt;</figcaption>" in html
    assert 'alt="say &#34;so&#34;"' in html
    scan = Picture(uri="data:,", caption=hostile, alt=hostile, name=hostile, path=hostile)
    html = piece("gallery([scan], more=2)", scan=scan)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4
    assert "and 2 more" in html


def test_what_a_template_lacks_is_an_error_and_no_hole() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render("reports/base.html")


def test_markup_is_not_escaped_twice() -> None:
    html = piece("table(('',), rows)", rows=[(Markup("<b>3</b>"), "<i>")])
    assert "<td><b>3</b></td><td>&lt;i&gt;</td>" in html
