"""Every number of the command line is checked before anything is written."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from tumorscope.cli.app import COMMANDS, run

SEEDED = {
    "phantom": ["phantom", "out", "--n", "4"],
    "demo": ["demo", "-o", "out"],
    "train": ["train", "scans", "-o", "out", "--recipe", "demo", "--weights", "none"],
    "crossval": ["crossval", "scans", "-o", "out", "--recipe", "demo", "--weights", "none"],
    "tune": ["tune", "scans", "--trials", "1", "-o", "out", "--recipe", "demo"],
}
NUMBERS = [
    (["phantom", "out", "--n", "1"], "n = 1"),
    (["phantom", "out", "--n", "4", "--duplicates", "-1"], "duplicates = -1"),
    (["demo", "-o", "out", "--n", "-4"], "n = -4"),
    (["crossval", "scans", "-o", "out", "--folds", "1"], "1 folds"),
    (["crossval", "scans", "-o", "out", "--repeats", "0"], "0 repeats"),
    (["crossval", "scans", "-o", "out", "--repeats", "99999999"], "repeats = 99999999"),
    (["crossval", "scans", "-o", "out", "--task", "tumour-type", "--folds", "0"], "0 folds"),
    (["compare", "scans", "-o", "out", "--folds", "-1"], "-1 folds"),
    (["compare", "-o", "out", "--cost-only", "--repeats", "0"], "0 repeats"),
    (["tune", "scans", "--trials", "0", "-o", "out"], "0 trials"),
    (["tune", "scans", "--trials", "1", "-o", "out", "--outer-folds", "1"], "1 outer"),
    (["tune", "scans", "--trials", "1", "-o", "out", "--inner-folds", "1"], "1 inner folds"),
    (["tune", "scans", "--trials", "1", "-o", "out", "--timeout", "nan"], "timeout = nan"),
    (["tune", "scans", "--trials", "1", "-o", "out", "--timeout", "0"], "timeout = 0"),
    (["bench", "--repeats", "0"], "repeats = 0"),
    (["predict", "scans", "-o", "out.csv", "--batch", "0"], "batch = 0"),
    (["predict", "scans", "-o", "out.csv", "--threads", "0"], "threads = 0"),
    (["predict", "scans", "-o", "out.csv", "--threads", "1000000"], "threads = 1000000"),
    (["split", "manifest.csv", "--seed", "-1"], "seed = -1"),
    (["split", "manifest.csv", "--fractions", "nan,0.5,0.5"], "fractions nan"),
    (["split", "manifest.csv", "--fractions", "inf,0,0"], "fractions inf"),
]


@pytest.fixture
def place(tiny_cohort: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `scans` and a manifest of them."""
    from tumorscope import audit

    folder = tiny_cohort.parent
    tiny_cohort.rename(folder / "scans")
    audit(folder / "scans", probes=False).manifest.save(folder / "manifest.csv")
    monkeypatch.chdir(folder)
    return folder


def _state(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("seed", ["-1", "3000000000", "99999999999999999999"])
def test_a_seed_out_of_range_is_wrong_usage_everywhere(
    place: Path, capsys: pytest.CaptureFixture[str], seed: str
) -> None:
    before = _state(place)
    for command, words in SEEDED.items():
        assert run([*words, "--seed", seed]) == 2, command
        assert f"seed = {seed}; expected at least 0 and at most" in capsys.readouterr().err, command
        assert _state(place) == before, command


def test_other_numbers_out_of_range_are_wrong_usage_and_leave_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _state(place)
    for words, message in NUMBERS:
        assert run(words) == 2, words
        assert message in capsys.readouterr().err, words
        assert _state(place) == before, words


def test_parts_of_a_number_are_wrong_usage_wherever_a_whole_one_is_meant(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, asked = _state(place), 0
    for command in COMMANDS:
        known = command.replace("-", "_")
        function = getattr(importlib.import_module(f"tumorscope.cli.{known}"), known)
        usual = ["--spool", "out"] if command == "dicom-node" else ["scans", "-o", "out"]
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            if "int" not in str(parameter.annotation).replace("[", " ").replace(",", " ").split():
                continue
            needed = ["--trials", "2"] if command == "tune" and name != "trials" else []
            words = [*usual, *needed, f"--{name.replace('_', '-')}"]
            for value in ("1.5", "2.5", "1e400.0", "nan"):
                assert run([command, *words, value]) == 2, (command, name, value)
                asked += 1
                told = " ".join(capsys.readouterr().err.replace("│", " ").split())
                assert f"Received {value}; expected a whole number" in told, (command, name)
            assert _state(place) == before, (command, name)
    assert asked >= 60
