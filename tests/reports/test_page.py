from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from tumorscope.reports import (
    PALETTE,
    Section,
    figure_html,
    figure_png,
    grey_uri,
    table_html,
    write_page,
)
from tumorscope.reports.page import STYLE, house_style, new_figure


def test_page_holds_everything_and_escapes_what_is_plain(tmp_path):
    path = tmp_path / "report.html"
    write_page(
        path,
        title="A <b> & c",
        lead="<p>Lead</p>",
        sections=[Section("One <1>", "<p>body</p>"), Section("Two", "<p>more</p>")],
        warning="Leaks & lies",
        footer="The <end>",
    )
    html = path.read_text("utf-8")
    assert "<h1>A &lt;b&gt; &amp; c</h1>" in html
    assert "<p>Lead</p>" in html
    assert "<h2>One &lt;1&gt;</h2>" in html
    assert "<p>body</p>" in html
    assert "Leaks &amp; lies" in html
    assert "The &lt;end&gt;" in html
    assert html.count("Research use only") == 2
    assert re.findall(r'href="#(s\d)"', html) == re.findall(r'<section id="(s\d)"', html)


def test_page_without_warning_has_no_box_and_loads_nothing(tmp_path):
    write_page(tmp_path / "r.html", title="T", lead="", sections=[])
    html = (tmp_path / "r.html").read_text("utf-8")
    assert 'class="warning"' not in html
    assert "http" not in html
    assert "<script" not in html


def test_tables_escape_and_align():
    html = table_html(("Name", "Count"), [("<x>", "3")], numeric=(1,))
    assert "<td>&lt;x&gt;</td>" in html
    assert "<td class=number>3</td>" in html
    assert "<th class=number>Count</th>" in html


def test_a_figure_is_the_same_bytes_each_time_and_on_disk(tmp_path):
    def drawn():
        with house_style():
            figure = new_figure(3, 2)
            figure.add_subplot().plot([0, 1], [1, 0])
            return figure

    first = figure_png(drawn(), tmp_path / "figures" / "a.png")
    assert (tmp_path / "figures" / "a.png").read_bytes() == first
    assert figure_png(drawn()) == first
    assert b"matplotlib" not in first.lower()


def test_figure_html_carries_picture_and_escaped_caption():
    html = figure_html(b"\x89PNG", 'say "so" <now>')
    assert base64.b64encode(b"\x89PNG").decode() in html
    assert "<figcaption>say &quot;so&quot; &lt;now&gt;</figcaption>" in html


@pytest.mark.parametrize("shape", [(300, 100), (1, 1), (50, 400)])
def test_thumbnails_keep_their_proportions(shape):
    uri = grey_uri(np.full(shape, 90, np.uint8), edge=64)
    image = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert max(image.size) <= 64
    assert image.mode == "L"
    height, width = shape
    assert image.width / image.height == pytest.approx(width / height, rel=0.1)


def test_house_style_ends_with_its_block():
    import matplotlib as mpl

    before = mpl.rcParams["axes.spines.top"]
    with house_style():
        assert mpl.rcParams["axes.spines.top"] is STYLE["axes.spines.top"]
    assert mpl.rcParams["axes.spines.top"] == before


def test_the_two_classes_differ_in_lightness_too():
    def luminance(name):
        red, green, blue = (int(PALETTE[name][place : place + 2], 16) for place in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert abs(luminance("tumour") - luminance("no tumour")) > 15
