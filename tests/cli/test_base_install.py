"""With the base install alone every command works, or names the extra and a command that works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tumorscope
from tumorscope.common.extras import MODULES

ROOT = Path(tumorscope.__file__).resolve().parents[2]

SCRIPT = """
import contextlib, io, json, sys
for name in {names!r}:
    sys.modules[name] = None
from tumorscope.cli.app import run
answers = []
for words in json.loads(sys.stdin.read()):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    answers.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""

WORK = [
    ["split", "manifest.csv"],
    ["predict", "scans", "-o", "findings.csv"],
    ["predict", "scans", "-o", "with-a-page.csv", "--report", "findings.html"],
    ["predict", "scans", "--model", "packaged", "-o", "again.csv"],
    ["describe", "packaged"],
    ["describe", "--recipe", "paper", "--toml"],
    ["phantom", "phantoms", "--n", "4"],
    ["bench", "--data", "scans", "--repeats", "1"],
]
NEED = [
    (["demo", "-o", "out"], "train"),
    (["audit", "scans", "-o", "out"], "train"),
    (["train", "scans", "-o", "out"], "train"),
    (["evaluate", "scans", "-o", "out"], "train"),
    (["evaluate", "packaged", "scans", "-o", "out"], "train"),
    (["crossval", "scans", "-o", "out"], "train"),
    (["crossval", "scans", "--task", "tumour-type", "-o", "out"], "train"),
    (["compare", "scans", "-o", "out"], "train"),
    (["tune", "scans", "--trials", "1", "-o", "out"], "train,tune"),
    (["robustness", "scans", "-o", "out"], "train"),
    (["describe"], "train"),
    (["bench", "--data", "scans", "--keras", "scans/model.keras"], "train"),
    (["export", "scans", "--to", "onnx", "-o", "out"], "train"),
    (["export", "packaged", "--to", "onnx-int8", "-o", "out", "--calibration", "scans"], "train"),
    (["export", "packaged", "--to", "litert", "-o", "out", "--calibration", "scans"],
     "train,litert"),
    (["export", "packaged", "--to", "openvino", "-o", "out", "--calibration", "scans"],
     "openvino"),
    (["predict", "scans", "-o", "findings.parquet"], "parquet"),
    (["predict", "scans", "--engine", "openvino", "-o", "out.csv"], "openvino"),
]  # fmt: skip


def _run(commands: list[list[str]], folder: Path) -> list[tuple[int, str, str]]:
    names = [name for modules in MODULES.values() for name in modules]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(names=names)],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    answers: list[tuple[int, str, str]] = json.loads(done.stdout)
    return answers


@pytest.fixture
def place(tiny_cohort: Path) -> Path:
    folder = tiny_cohort.parent
    tiny_cohort.rename(folder / "scans")
    tumorscope.audit(folder / "scans", probes=False).manifest.save(folder / "manifest.csv")
    return folder


def test_what_needs_no_extra_works(place: Path) -> None:
    for words, (code, out, err) in zip(WORK, _run(WORK, place), strict=True):
        assert code == 0, (words, err)
        assert out or "-o" in words, words


def test_the_others_name_their_extra_before_any_work(place: Path) -> None:
    before = sorted(place.rglob("*"))
    answers = _run([words for words, _ in NEED], place)
    for (words, extra), (code, out, err) in zip(NEED, answers, strict=True):
        assert code == 2, (words, err)
        assert "is not installed" in err, words
        assert f'install -e "{ROOT}[{extra}]"' in err, (words, err)
        assert err.count("\n") == 1, (words, err)
        assert out == "", words
    assert sorted(place.rglob("*")) == before


def test_python_names_the_extra_too() -> None:
    program = "import sys; sys.modules['sklearn'] = None; import tumorscope as ts\n"
    program += "try:\n    ts.audit('x')\nexcept ImportError as error:\n    print(error)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "[train]" in done.stdout
