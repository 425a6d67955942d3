"""Templates: what is printed is escaped, sections number themselves, and nothing is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tumorscope.reports import Section, table_html, write_page
from tumorscope.reports.page import render, write_html
from tumorscope.reports.picture import Picture


def write(path: Path, *parts: tuple[str, str], warning: str | None = None) -> str:
    write_html(
        path,
        "reports/sections.html",
        title="A <b> & c",
        warning=warning,
        footer="The <end>",
        lead="Lead <1>",
        sections=[Section(title, html) for title, html in parts],
    )
    return path.read_text("utf-8")


def test_a_page_holds_everything_and_escapes_it(tmp_path: Path) -> None:
    html = write(tmp_path / "r.html", ("One <1>", "a & b"), ("Two", "more"), warning="Leaks & lies")
    assert "<h1>A &lt;b&gt; &amp; c</h1>" in html
    assert '<div class="lead">Lead &lt;1&gt;</div>' in html
    assert "<h2>One &lt;1&gt;</h2>\na &amp; b" in html
    assert '<p class="warning" role="alert">Leaks &amp; lies</p>' in html
    assert "The &lt;end&gt;" in html
    assert html.count("Research use only") == 2


def test_the_contents_name_every_section_that_is_not_empty(tmp_path: Path) -> None:
    html = write(tmp_path / "r.html", ("One", "1"), ("Nothing", "\n "), ("Two", "2"))
    assert re.findall(r'href="#(s\d)">(\w+)<', html) == [("s1", "One"), ("s2", "Two")]
    assert re.findall(r'<section id="(s\d)"', html) == ["s1", "s2"]


def test_a_page_without_warning_has_no_box_and_loads_nothing(tmp_path: Path) -> None:
    html = write(tmp_path / "r.html")
    assert 'class="warning"' not in html
    assert "http" not in html
    assert "<script" not in html


def test_pages_of_pieces_take_html(tmp_path: Path) -> None:
    write_page(tmp_path / "r.html", title="T", lead="<p>L</p>", sections=[Section("S", "<p>b</p>")])
    html = (tmp_path / "r.html").read_text("utf-8")
    assert "<p>L</p>" in html
    assert "<p>b</p>" in html


def test_tables_escape_and_align() -> None:
    html = table_html(("Name", "Count"), [("<x>", "3")], numeric=(1,))
    assert "<td>&lt;x&gt;</td>" in html
    assert "<td class=number>3</td>" in html
    assert "<th class=number>Count</th>" in html


def test_figures_and_thumbnails_escape_what_a_file_is_called() -> None:
    hostile = '"><script>alert(1)</script>.png'
    drawn = Picture(uri="data:,", caption="95 % <sure>", alt='say "so"')
    html = render("reports/piece.html", kind="figure", picture=drawn)
    assert "<figcaption>95\N{NO-BREAK SPACE}% &lt;sure&gt;</figcaption>" in html
    assert 'alt="say &#34;so&#34;"' in html
    scan = Picture(uri="data:,", caption=hostile, alt=hostile, name=hostile, path=hostile)
    html = render("reports/piece.html", kind="gallery", pictures=[scan])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4


def test_what_a_template_lacks_is_an_error_and_no_hole() -> None:
    with pytest.raises(UndefinedError, match="picture"):
        render("reports/piece.html", kind="figure")


def test_markup_is_not_escaped_twice() -> None:
    cells = [(Markup("<b>3</b>"), "<i>")]
    html = render("reports/piece.html", kind="table", header=("",), rows=cells, numeric=())
    assert "<td><b>3</b></td><td>&lt;i&gt;</td>" in html
