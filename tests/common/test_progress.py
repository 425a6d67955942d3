"""Progress: every item comes through, a bar on terminals only, silence when asked."""

from __future__ import annotations

import io
import sys

import pytest

from tumorscope.common import progress
from tumorscope.common.progress import pulse, quiet, say, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "clock", made)
    return made


def test_short_work_writes_nothing_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(track(range(5), "Counting")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_a_line_after_ten_seconds_and_then_one_a_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in track(range(100), "Training"):
        clock.now += 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Training: 2 of 100 (2 %), 12 a minute, about 8 min left"
    assert lines[1] == "Training: 14 of 100 (14 %), 12 a minute, about 7 min left"
    assert len(lines) == 9
    assert lines[-1] == "Training: 98 of 100 (98 %), 12 a minute, about 10 s left"


def test_slow_steps_have_a_line_each_and_long_work_is_told_in_hours(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in track(range(40), "Searching"):
        clock.now += 600
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 39
    assert lines[0] == "Searching: 1 of 40 (2 %), 0.1 a minute, about 6 h 30 min left"


def test_inside_a_long_step_a_pulse_lets_the_loop_tell_how_far_it_is(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in track(range(2), "Searching"):
        for _ in range(10):
            clock.now += 30
            pulse()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Searching: 0 of 2, 30 s so far"
    assert lines[5] == "Searching: 1 of 2 (50 %), 0.18 a minute, about 6 min left"
    clock.now += 1000
    pulse()  # nothing is gone through any more
    assert capsys.readouterr().err == ""


def test_a_total_that_costs_something_is_asked_only_where_it_is_shown(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def count() -> int:
        asked.append(1)
        return 30

    assert list(track(iter("abc"), "Detecting", total=count)) == ["a", "b", "c"]
    assert asked == []
    for _ in track(iter(range(30)), "Detecting", total=count):
        clock.now += 10
    assert asked == [1]
    for _ in track(iter(range(3)), "Detecting"):
        clock.now += 30
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Detecting: 1 of 30 (3 %)")
    assert lines[-1] == "Detecting: 1, 2 a minute, 30 s so far"


def test_quiet_and_a_missing_standard_error_silence_the_lines(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with quiet():
        for _ in track(range(9), "Training"):
            clock.now += 60
    monkeypatch.setattr(sys, "stderr", None)
    for _ in track(range(9), "Training"):
        clock.now += 60
    say("nobody hears")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_a_bar_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert list(track(iter("abc"), "Counting", total=3)) == ["a", "b", "c"]
    assert "Counting" in screen.getvalue()


def test_a_loop_inside_a_loop_draws_no_second_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    for _ in track([1, 2], "Outer"):
        assert list(track([3, 4], "Inner")) == [3, 4]
    assert "Outer" in screen.getvalue()
    assert "Inner" not in screen.getvalue()
    assert list(track([3, 4], "Later")) == [3, 4]
    assert "Later" in screen.getvalue()


def test_quiet_silences_bars_and_words_inside_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with quiet():
        assert list(track([1, 2], "Counting")) == [1, 2]
        say("nobody hears")
    assert screen.getvalue() == ""
    say("somebody hears")
    assert screen.getvalue() == "somebody hears\n"


def test_the_steps_of_one_command_count_together_until_the_first_line(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.one_command():
        clock.now += 4
        for step in ("Reading", "Verifying", "Fitting"):
            for _ in track(range(2), step):
                clock.now += 2
    assert capsys.readouterr().err.splitlines() == [
        "Verifying: 1 of 2 (50 %), 30 a minute, about 2 s left"
    ]


def test_what_is_counted_is_named(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in track(range(40), "Changing images", unit="changes"):
        clock.now += 30
    assert "1 of 40 changes (2 %)" in capsys.readouterr().err
