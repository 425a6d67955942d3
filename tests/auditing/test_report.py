"""The page: worst news first, no network, names escaped, thumbnails capped."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.fixtures.audits import audit

from tumorscope.auditing import report as audit_report
from tumorscope.auditing.report import write_report
from tumorscope.auditing.result import Audit

Head = Callable[..., NDArray[np.uint8]]

pytestmark = pytest.mark.usefixtures("few_trees")


def cohort(folder: Path, head: Head, *, conflict: bool, copies: int) -> Path:
    for label, first in (("yes", 0), ("no", 10)):
        (folder / label).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(head(first + index)).save(folder / label / f"{index}.png")
    for index in range(copies):
        Image.fromarray(head(0)).save(folder / "yes" / f'copy <{index}> & "co".png')
    if conflict:
        Image.fromarray(head(1)).save(folder / "no" / "conflict.png")
        (folder / "no/broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    return folder


def page_of(found: Audit, tmp_path: Path) -> str:
    write_report(found, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text()


def titles(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_bad_news_comes_in_order_of_weight(tmp_path: Path, head: Head) -> None:
    data = cohort(tmp_path / "data", head, conflict=True, copies=2)
    page = page_of(audit(data, against=[data]), tmp_path)
    assert titles(page) == [
        "Label conflicts",
        "Overlap with other cohorts",
        "Unreadable files",
        "Shortcuts",
        "Copies of one picture",
        "Class balance and modes",
        "What to do next",
    ]
    assert 'role="alert"' in page
    assert "1 picture carries both labels" in page
    manifest = tmp_path / "manifest.csv"
    assert f"tumorscope split {manifest} --fractions" in page
    assert f"tumorscope evaluate RUN {manifest}" in page


def test_a_clean_cohort_has_no_alarm(tmp_path: Path, head: Head) -> None:
    data = cohort(tmp_path / "data", head, conflict=False, copies=0)
    page = page_of(audit(data, probes=False), tmp_path)
    assert titles(page) == ["Class balance and modes", "What to do next"]
    assert 'role="alert"' not in page
    assert "show 6 different pictures" in page


def test_the_page_needs_no_network_and_escapes_names(tmp_path: Path, head: Head) -> None:
    data = cohort(tmp_path / "data", head, conflict=False, copies=2)
    page = page_of(audit(data), tmp_path)
    assert "copy &lt;0&gt; &amp;" in page
    assert "copy <0>" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert page.count("data:image/jpeg") == 3
    assert page.count("data:image/png") == 1


def test_thumbnails_are_capped_and_the_rest_is_counted(
    tmp_path: Path, head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_report, "MAX_IN_SET", 4)
    monkeypatch.setattr(audit_report, "MAX_SETS", 1)
    data = cohort(tmp_path / "data", head, conflict=False, copies=6)
    Image.fromarray(head(12)).save(data / "no" / "again.png")
    page = page_of(audit(data, probes=False), tmp_path)
    assert page.count("data:image/jpeg") == 4
    assert "and 3 more of this picture" in page
    assert "1 more are not shown here" in page


def test_too_few_groups_are_said_in_words(tmp_path: Path, head: Head) -> None:
    for label, seed in (("yes", 1), ("no", 2)):
        (tmp_path / "data" / label).mkdir(parents=True)
        Image.fromarray(head(seed)).save(tmp_path / "data" / label / "a.png")
    page = page_of(audit(tmp_path / "data"), tmp_path)
    assert "Too few groups per class" in page
