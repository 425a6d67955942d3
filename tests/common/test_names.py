"""Paths as text: for screens, and for pages that go to others."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.names import shown, without_folders


@given(st.text())
def test_what_is_shown_holds_no_control_characters(text: str) -> None:
    lines = shown(text)
    kinds = {unicodedata.category(each) for each in lines if each not in "\n\t"}
    assert not kinds & {"Cc", "Cf", "Cs"}
    assert shown(lines) == lines
    assert "\x1b" not in lines


def test_paths_are_told_without_whose_disk_they_lie_on() -> None:
    assert without_folders(["/home/ann/a.png"]) == ["a.png"]
    assert without_folders(["yes/a.png", "no/b.png"]) == ["yes/a.png", "no/b.png"]
    assert without_folders([]) == []
    assert without_folders(["/data/x/a.png", "/home/b.png"]) == ["data/x/a.png", "home/b.png"]
