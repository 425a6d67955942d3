"""The page in a real browser: files in, findings on the screen, by keyboard and on a phone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.http.conftest import Client, Serve, Slow
from tests.serving.http.test_routes_findings import zipped

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.serving.http.address import Address
from tumorscope.serving.http.routes_page import FILES, STATIC

pytest.importorskip("playwright", reason="needs the dev extra")
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = os.environ.get("TUMORSCOPE_CHROMIUM") or shutil.which("chromium")
QUIET = (
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)
expect.set_options(timeout=60_000)  # other work may keep the machine busy
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    page.close()
    # What the service refuses on purpose is said by the browser too.
    assert [line for line in said if "Failed to load resource" not in line] == []


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline() -> None:
    for name in (*FILES, "page.html"):
        text = (STATIC / name).read_text("utf-8")
        found = set(re.findall(r"https?://[^\"'\s)]+", text))
        assert found <= {"http://www.w3.org/2000/svg"}
        assert "innerHTML" not in text
    html = (STATIC / "page.html").read_text("utf-8")
    assert not re.search(r"<style|<script>|style=|\bon\w+=", html)
    assert html.count(RESEARCH_USE_ONLY) == 2


def test_pictures_become_cards_and_what_is_not_read_is_said(
    shared_service: Client, page: Page, bright: Path, tmp_path: Path
) -> None:
    other = tmp_path / "<b>words.txt"
    other.write_text("no picture")
    page.goto(str(shared_service.base_url))
    expect(page.locator(".notice")).to_have_text(RESEARCH_USE_ONLY)
    page.locator("#files").set_input_files([bright, other])
    expect(page.locator("#said")).to_have_text("Done: 1 tumour, 1 unreadable.")
    card = page.locator("article")
    expect(card).to_have_count(1)
    expect(card.locator("h3 b")).to_have_text("tumour")
    image = card.locator("img")
    expect(image).to_have_js_property("naturalWidth", 96)  # without eval, which the page forbids
    before = image.get_attribute("src")
    card.get_by_role("button", name="Evidence").click()
    expect(image).not_to_have_attribute("src", before or "")
    expect(image).to_have_attribute("alt", re.compile("with its evidence"))
    expect(page.locator(".passed li")).to_contain_text("<b>words.txt: The file cannot be read")
    with page.expect_download() as table:
        page.get_by_role("button", name="Table (CSV)").click()
    assert Path(table.value.path()).read_text("utf-8").startswith("path,probability")
    page.evaluate(
        """data => {
            const moved = new DataTransfer();
            moved.items.add(new File([new Uint8Array(data)], "dropped.png"));
            dispatchEvent(new DragEvent("drop", { dataTransfer: moved, cancelable: true }));
        }""",
        list(bright.read_bytes()),
    )
    expect(page.locator("#said")).to_have_text("Done: 1 tumour.")
    expect(page.locator(".answer").first.locator(".path")).to_have_text("dropped.png")
    for _ in range(2):
        page.get_by_role("button", name="Delete").first.click()
    expect(page.locator("article")).to_have_count(0)
    expect(page.locator("#said")).to_have_text("Deleted.")


def test_a_study_is_looked_through_by_keyboard_on_a_phone(
    shared_service: Client, page: Page, study: Path, tmp_path: Path
) -> None:
    pytest.importorskip("nibabel", reason="needs the dicom extra")
    (tmp_path / "study.zip").write_bytes(zipped(study))
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    page.goto(str(shared_service.base_url))
    page.locator("#files").set_input_files(tmp_path / "study.zip")
    expect(page.locator("#said")).to_have_text(re.compile("Done: 1 tumour"))
    card = page.locator("article.series")
    slider = card.get_by_role("slider", name="Slice")
    slider.focus()
    place = int(slider.input_value())
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(rf"^no. {place} of the"))
    expect(page.locator("article img").first).not_to_have_js_property("naturalWidth", 0)
    expect(card.locator("svg.curve")).to_have_count(2)
    expect(page.locator(".passed li")).to_contain_text("README.txt")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    with page.expect_download() as report:
        page.get_by_role("button", name="Report").click()
    assert "<svg" in Path(report.value.path()).read_text("utf-8")


def test_a_refusal_is_shown_in_words_and_a_token_is_asked_for(serve: Serve, page: Page) -> None:
    token = "a-token-that-nobody-guesses"
    client = serve(request=1000, address=Address(host="0.0.0.0", port=0, token=token))
    page.goto(f"http://127.0.0.1:{client.base_url.port}")
    page.get_by_label("token").fill("another")
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("#failed")).to_contain_text("not the token")
    page.get_by_label("token").fill(token)
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("#model")).to_contain_text("Model tiny@")
    large = {"name": "large.png", "mimeType": "image/png", "buffer": bytes(2000)}
    page.locator("#files").set_input_files(large)
    expect(page.locator("#failed")).to_contain_text("Received more bytes than are taken")
    expect(page.locator("#failed")).to_contain_text("Send less at once")


def test_a_busy_service_is_asked_again_and_work_can_be_stopped(
    serve: Serve, slow: Slow, page: Page, bright: Path
) -> None:
    client = serve(waiting=1, detector=slow)
    files = {"files": ("a.png", bright.read_bytes())}
    first = client.post("/v1/findings?wait=0", files=files)
    page.goto(str(client.base_url))
    page.locator("#files").set_input_files(bright)
    expect(page.locator("#said")).to_have_text("The service is busy; again in 1 s.")
    client.delete(first.headers["location"])
    slow.let_go.set()
    expect(page.locator("#said")).to_have_text("Done: 1 tumour.")
    slow.let_go.clear()
    page.locator("#files").set_input_files(bright)
    expect(page.locator("#far")).to_contain_text("looked at")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#failed")).to_have_text("Stopped.")
    slow.let_go.set()
    expect(page.locator(".answer")).to_have_count(1)
