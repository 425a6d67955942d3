"""Progress: every item comes through, a bar on terminals only, silence when asked."""

from __future__ import annotations

import io
import sys

import pytest

from tumorscope.common.progress import quiet, say, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(5), "Counting")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_a_bar_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert list(track(iter("abc"), "Counting", total=3)) == ["a", "b", "c"]
    assert "Counting" in screen.getvalue()


def test_quiet_silences_bars_and_words_inside_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with quiet():
        assert list(track([1, 2], "Counting")) == [1, 2]
        say("nobody hears")
    assert screen.getvalue() == ""
    say("somebody hears")
    assert screen.getvalue() == "somebody hears\n"
