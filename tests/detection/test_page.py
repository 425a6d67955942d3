"""The page of findings: whole, self-contained, the same after a resume, and limits are named."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from tumorscope.cli.app import run
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection import page as page_module
from tumorscope.detection.batch import run_batch
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import find_images
from tumorscope.detection.outputs import Outputs, open_results
from tumorscope.detection.page import open_page
from tumorscope.detection.pictures import Pictures
from tumorscope.detection.records import Result

VOID = {"meta", "img", "input", "option", "html", "head", "body"}


class Cards(HTMLParser):
    """Reads the cards of a page, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[dict[str, str | None]] = []
        self.pictures: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "article":
            self.cards.append(values)
        if tag == "img":
            self.pictures.append(str(values["src"]))
        if tag == "a":
            self.links.append(str(values["href"]))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def cards_of(path: Path) -> Cards:
    parser = Cards()
    parser.feed(path.read_text("utf-8"))
    assert parser.open == []
    return parser


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Twelve pictures from dark (no tumour) to bright (tumour), one blank, one broken."""
    folder = tmp_path / "scans"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = np.clip(rng.normal(60 + 7 * number, 12, (64, 64)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d} <b>&amp;.png")
    Image.fromarray(np.full((80, 80), 9, np.uint8)).save(folder / "blank.png")
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    return folder


def test_a_page_has_a_card_for_each_image(tiny_model: Path, scans: Path, tmp_path: Path) -> None:
    report = tmp_path / "out" / "findings.html"
    words = ["predict", str(scans), "--model", str(tiny_model), "--quiet"]
    assert run([*words, "--report", str(report), "--overlays", str(tmp_path / "maps")]) == 4
    text, found = report.read_text("utf-8"), cards_of(report)
    assert len(found.cards) == 14
    decisions = Counter(card["data-d"] for card in found.cards)
    assert {"tumour", "no tumour", "refused", "unreadable"} <= set(decisions)
    for decision, count in decisions.items():
        assert f"<b>{count}</b>{decision}" in text
    assert text.count(RESEARCH_USE_ONLY) == 2
    assert "&lt;b&gt;&amp;amp;.png" in text  # names are text, never markup
    assert [each.name for each in report.parent.iterdir()] == [report.name]
    # Pictures are in the page and open; links lead to the overlays.
    assert len(found.pictures) == 13
    for picture in found.pictures:
        kind, _, data = picture.partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
            assert max(opened.size) <= 280
    assert "../maps/blank.png.png" in found.links
    # It asks nothing of a network.
    outside = re.findall(r'(?:src|href)="(?!data:|\.\./maps/)', text)
    assert outside == []
    assert "default-src 'none'" in text


def test_one_image_has_a_page_too(tiny_model: Path, scans: Path, tmp_path: Path) -> None:
    report = tmp_path / "one.html"
    one = next(scans.iterdir())
    assert run(["predict", str(one), "--model", str(tiny_model), "--report", str(report)]) == 0
    assert "Findings of 1 image<" in report.read_text("utf-8")
    assert len(cards_of(report).cards) == 1


@pytest.mark.parametrize("name", ["findings.csv", "findings", "findings.pdf"])
def test_a_name_that_is_no_page_is_refused_at_once(
    scans: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(scans), "--report", str(tmp_path / name)]) == 2
    assert "ends in .html" in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["scans"]


def test_cards_and_pictures_end_where_it_says(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    detector, report = Detector.load(tiny_model), tmp_path / "few.html"
    pictures = Pictures(thumbnails=True, most=1)
    original = page_module.FindingsPage.__init__.__kwdefaults__
    assert original["most"] == page_module.CARDS
    with open_page(report, detector, table=tmp_path / "all.csv") as page:
        page._most = 2
        for result in run_batch(detector, find_images([scans]), pictures=pictures):
            page.add(result)
    text, found = report.read_text("utf-8"), cards_of(report)
    counts = Counter(card["data-d"] for card in found.cards)
    assert max(counts.values()) == 2
    readable = set(counts) - {"unreadable"}
    assert len(found.pictures) == len(readable)
    assert f"Pictures are shown of {len(readable)} of 13 images that could be read" in text
    assert f"Cards are shown of {len(found.cards)} of 14 images: the first 2 of each" in text
    assert "All findings are in all.csv." in text


def test_a_result_without_its_finding_is_refused(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    detector = Detector.load(tiny_model)
    result = next(run_batch(detector, find_images([scans])))
    with (
        pytest.raises(ValueError, match="without its finding"),
        open_page(tmp_path / "none.html", detector) as page,
    ):
        page.add(replace(result, finding=None))
    assert not (tmp_path / "none.html").exists()


def _begin(results: Iterator[Result]) -> NoReturn:
    for _ in range(6):
        next(results)
    raise KeyboardInterrupt


@pytest.mark.parametrize("before", [True, False], ids=["with a page", "without one"])
def test_a_resumed_batch_writes_the_same_page(
    tiny_model: Path, scans: Path, tmp_path: Path, before: bool
) -> None:
    (scans / "00 torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    detector = Detector.load(tiny_model)
    whole = Outputs(table=tmp_path / "a" / "whole.csv", page=tmp_path / "a" / "whole.html")
    with open_results(detector, find_images([scans]), outputs=whole, named=[scans]) as results:
        assert not any(result.resumed for result in results)
    both = Outputs(table=tmp_path / "b" / "whole.csv", page=tmp_path / "b" / "whole.html")
    begun = both if before else Outputs(table=both.table)
    with (
        pytest.raises(KeyboardInterrupt),
        open_results(detector, find_images([scans]), outputs=begun, named=[scans]) as results,
    ):
        _begin(results)
    assert both.page is not None
    assert whole.page is not None
    assert not both.page.exists()
    with open_results(
        detector, find_images([scans]), outputs=both, named=[scans], resume=True
    ) as results:
        resumed = sum(result.resumed for result in results)
    assert (resumed >= 6) if before else (resumed == 0)
    assert both.page.read_text("utf-8") == whole.page.read_text("utf-8")


def test_a_kill_leaves_no_page_and_a_resume_no_leftovers(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    report, table = tmp_path / "out" / "findings.html", tmp_path / "out" / "findings.csv"
    program = (
        "import os, signal, sys\n"
        "from tumorscope.detection.page import FindingsPage\n"
        "add = FindingsPage.add\n"
        "def dying(self, result):\n"
        "    add(self, result)\n"
        "    if self._counts.total() == 7: os.kill(os.getpid(), signal.SIGKILL)\n"
        "FindingsPage.add = dying\n"
        "from tumorscope.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(table)]
    words += ["--report", str(report), "--quiet"]
    done = subprocess.run([sys.executable, "-c", program, *words], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not report.exists()
    assert run([*words, "--resume"]) == 4
    assert len(cards_of(report).cards) == 14
    assert sorted(each.name for each in report.parent.iterdir()) == [
        "findings.csv",
        "findings.html",
    ]


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_it_sorts_and_filters_in_a_browser(tiny_model: Path, scans: Path, tmp_path: Path) -> None:
    report, driven = tmp_path / "findings.html", tmp_path / "driven.html"
    words = ["predict", str(scans), "--model", str(tiny_model), "--quiet"]
    assert run([*words, "--report", str(report)]) == 4
    # What a person does, appended to the page's own script.
    acts = """
form.sort.value = "-p";
form.sort.dispatchEvent(new Event("input", { bubbles: true }));
form.querySelector("[value=tumour]").click();
const left = Array.from(main.children).filter(card => !card.hidden);
const order = left.map(card => card.dataset.p ?? card.dataset.d).join();
document.title = `${cards.length}|${form.shown.value}|${order}`;
"""
    text = report.read_text("utf-8").replace("</script>\n</html>", f"{acts}</script>\n</html>")
    driven.write_text(text, "utf-8")
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [*command, driven.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stdout[:500]
    count, shown, order = title[1].split("|")
    kept = [card for card in cards_of(report).cards if card["data-d"] != "tumour"]
    assert (count, shown) == ("14", f"{len(kept)} of 14 shown")
    values = [float(each) for each in order.split(",") if each[0].isdigit()]
    assert values == sorted(values, reverse=True)
    assert order.split(",")[len(values) :] == ["refused", "unreadable"]
