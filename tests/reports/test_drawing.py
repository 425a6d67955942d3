"""Drawn figures: the same bytes each time, in colours that all can tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from tumorscope.reports.drawing import PALETTE, STYLE, Display, draw, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass
class Line(Display):
    def plot(self, ax: Axes | None = None) -> Line:
        axes = new_figure(3, 2).add_subplot() if ax is None else ax
        axes.plot([0, 1], [1, 0], label="a")
        axes.legend()
        self._remember(axes)
        return self


def test_a_figure_has_the_same_bytes_each_time_in_the_page_and_on_disk(tmp_path: Path) -> None:
    first, second = (
        draw(Line(), "A line", stem=tmp_path / "figures" / name) for name in ("a.b", "c")
    )
    assert first == second
    assert first.alt == "A line"
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "a.b.png", "a.b.svg", "c.png", "c.svg",
    ]  # fmt: skip
    for suffix in ("png", "svg"):
        data = (tmp_path / f"figures/a.b.{suffix}").read_bytes()
        assert data == (tmp_path / f"figures/c.{suffix}").read_bytes()
        assert b"matplotlib.org" not in data.lower()
    assert ElementTree.parse(tmp_path / "figures/c.svg").getroot().tag.endswith("svg")


def test_a_picture_may_be_described_otherwise_than_its_caption_says() -> None:
    assert draw(Line(), "", alt="falls").alt == "falls"


def test_house_style_ends_with_its_block() -> None:
    import matplotlib as mpl

    before = mpl.rcParams["axes.spines.top"]
    with house_style():
        assert mpl.rcParams["axes.spines.top"] is STYLE["axes.spines.top"]
    assert mpl.rcParams["axes.spines.top"] == before


def test_the_two_classes_differ_in_lightness_too() -> None:
    def luminance(name: str) -> float:
        red, green, blue = (int(PALETTE[name][place : place + 2], 16) for place in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert abs(luminance("tumour") - luminance("no tumour")) > 15
