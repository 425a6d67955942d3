"""The shell of every command: exit codes, errors in words, ``--quiet``, ``--json``."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tumorscope.cli.app import COMMANDS, emit, run
from tumorscope.cli.options import Common
from tumorscope.common.errors import HonestyError, InputError, OutputError, UsageError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What the application will raise."""
    errors: list[BaseException] = []

    def fail(*args: Any, **kwargs: Any) -> None:
        raise errors[0]

    # By name, because the package's attribute `app` is the application itself.
    monkeypatch.setattr(importlib.import_module("tumorscope.cli.app"), "app", fail)
    return errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("received x; expected y"), 2),
        (InputError("received x; expected y"), 3),
        (OutputError("received x; expected y"), 3),
        (HonestyError("received x; expected y"), 5),
        (ZeroDivisionError("x"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_exit_code_and_no_traceback(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    failing.append(error)
    assert run(["audit"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("tumorscope: ")
    assert "Traceback" not in shown.err


def test_debug_shows_the_traceback(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(InputError("received x"))
    assert run(["audit", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["nonsense"], ["audit"], ["split", "x", "--unknown"]])
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert "--help: it shows" in capsys.readouterr().err


def test_an_empty_argument_is_wrong_usage_rather_than_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["phantom", "", "--n", "4"]) == 2
    assert run(["predict", "scans", "-o", ""]) == 2
    assert "empty argument" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_helps_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"tumorscope {command}" in shown
    for option in ("--json", "--quiet", "--debug"):
        assert option in shown


def test_help_lists_every_command_with_the_first_line_of_its_own_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for command, summary in COMMANDS.items():
        name = command.replace("-", "_")
        function = getattr(importlib.import_module(f"tumorscope.cli.{name}"), name)
        assert function.__doc__.splitlines()[0] == summary
        line = next(line for line in shown.splitlines() if line.startswith(f"│ {command} "))
        assert summary.replace("`", "") in line


def test_listing_the_commands_imports_none_of_them() -> None:
    words = "import sys; from tumorscope.cli.app import run; run(['--help'])"
    loaded = "print([name for name in sys.modules if name.startswith('tumorscope.cli.')])"
    done = subprocess.run(
        [sys.executable, "-c", f"{words}; {loaded}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "['tumorscope.cli.options', 'tumorscope.cli.app']"


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("words", [["--help"], ["describe", "--recipe", "paper", "--toml"]])
def test_an_output_that_is_full_is_told(words: list[str], buffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tumorscope", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": buffered},
        )
    assert done.returncode == 3
    assert done.stderr.startswith("tumorscope: Cannot write the results to standard output: No sp")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["describe", "--recipe", "paper", "--toml"], 0),
        (["describe", "no.onnx"], 3),
    ],
)
def test_a_reader_that_has_enough_ends_a_command_quietly(
    words: list[str], code: int, buffered: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tumorscope", *words],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": buffered},
    )
    os.close(writer)
    assert done.returncode == code
    assert ("no.onnx" in done.stderr) if code else (done.stderr == "")


def test_json_or_table_never_both(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Common(), {"a": 1}, "a table")
    assert capsys.readouterr().out == "a table\n"
    emit(Common(json=True), {"a": 1}, "a table")
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_python_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tumorscope", "--help"], capture_output=True, text=True, check=True
    )
    assert "Research use only" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "nowhere"],
        ["audit", "nowhere", "-o", "out"],
        ["train", "nowhere", "-o", "out"],
        ["export", "nowhere", "--to", "onnx", "-o", "out"],
    ],
)
def test_a_path_that_is_wrong_is_told_before_an_extra_is_asked_for(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(words) == 3
    assert "There is no file or folder nowhere." in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_folder_given_for_a_manifest_is_called_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["split", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert "is a folder" in said
    assert "UTF-8" not in said
