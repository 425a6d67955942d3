"""Odd surroundings: settings of other programs, code pages, closed streams."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cli.app import run
from tumorscope.common.faults import explain

ODD = "é…日.png"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    for number, name in enumerate((ODD, "b.png")):
        pixels = np.random.default_rng(number).integers(0, 200, (64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "scans" / name)
    return tmp_path / "scans"


def _tumorscope(
    *words: str | Path, shell: str = "", **settings: str
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **settings}
    command = [sys.executable, "-m", "tumorscope", *map(str, words)]
    if shell:  # redirections, which close or fill a stream
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(command, capture_output=True, check=False, env=environment)


@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_no_row_is_lost_to_a_code_page(
    scans: Path, tiny_model: Path, settings: dict[str, str]
) -> None:
    done = _tumorscope("predict", scans, "--model", tiny_model, **settings)
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode("utf-8"))))
    assert [Path(row["path"]).name for row in rows] == ["b.png", ODD]
    if settings.get("PYTHONIOENCODING") != "ascii":
        return
    done = _tumorscope("predict", scans, "--model", tiny_model, "--json", **settings)
    document = json.loads(done.stdout.decode("utf-8"))
    assert Path(document["findings"][1]["path"]).name == ODD


def test_closed_streams_lose_no_result_without_a_word(scans: Path, tiny_model: Path) -> None:
    words = ("predict", scans, "--model", tiny_model)
    without_words = _tumorscope(*words, shell="2>&-")
    assert without_words.returncode == 0
    assert without_words.stdout.count(b"\n") == 3
    without_results = _tumorscope(*words, shell=">&-")
    assert without_results.returncode == 3
    assert b"Cannot write the results to standard output" in without_results.stderr
    table = scans.parent / "table.csv"
    assert _tumorscope(*words, "-o", table, shell=">&- 2>&- <&-").returncode == 0
    assert len(table.read_text("utf-8").splitlines()) == 3


def test_warnings_of_libraries_end_no_command(scans: Path, tiny_model: Path) -> None:
    done = _tumorscope("predict", scans, "--model", tiny_model, PYTHONWARNINGS="error")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("columns", ["0", "-5", "wide"])
def test_a_terminal_without_width_gets_help(columns: str) -> None:
    assert _tumorscope("--help", COLUMNS=columns).returncode == 0


@pytest.mark.parametrize("backend", ["xyz", "qtagg"])
def test_figures_need_no_backend_of_matplotlib(backend: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the train extra")
    program = (
        "import sys, os; from tumorscope.reports.drawing import house_style, new_figure\n"
        "with house_style():\n    new_figure().add_subplot().figure.savefig(sys.argv[1])\n"
        "print(os.environ['MPLBACKEND'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "figure.png")],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": backend},
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, backend), done.stderr
    assert (tmp_path / "figure.png").stat().st_size


@pytest.mark.parametrize(
    ("backend", "settings", "words"),
    [
        ("torchx", None, "KERAS_BACKEND tells Keras to compute with torchx"),
        ("openvino", None, "which cannot train"),
        ("", {"backend": "numpy"}, "keras.json tells Keras to compute with numpy"),
    ],
)
def test_what_keras_is_told_to_compute_with_is_named(
    tmp_path: Path, backend: str, settings: dict[str, str] | None, words: str
) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    if settings is not None:
        (tmp_path / "keras.json").write_text(json.dumps(settings))
    done = _tumorscope("describe", KERAS_BACKEND=backend, KERAS_HOME=str(tmp_path))
    assert done.returncode == 3
    assert words in done.stderr.decode()
    assert "Internal fault" not in done.stderr.decode()
    assert "install" not in done.stderr.decode().partition("Expected")[0]


def test_a_keras_json_for_other_programs_changes_no_network(tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-3}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    done = _tumorscope("describe", "--recipe", "demo", "--json", KERAS_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["input_shape"] == [96, 96, 3]
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), 3, "memory does not suffice"),
        (OSError(24, "Too many open files", "a.png"), 3, "a.png: Too many open files"),
        (OSError(28, "No space left on device"), 3, "free space"),
        (ImportError("libGL.so.1: no such file", name="cv2"), 3, "cv2 is needed, which is"),
        (FileNotFoundError(2, "No usable temporary directory"), 3, "TMPDIR"),
    ],
)
def test_faults_of_the_system_are_told_as_such(error: Exception, code: int, words: str) -> None:
    told = explain(error, to="run tumorscope predict")
    assert told is not None
    assert (told.exit_code, words in str(told)) == (code, True), str(told)


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("x"),
        OSError("no number"),
        ImportError("cannot import name 'x'", name="tumorscope.cohort"),
    ],
)
def test_faults_of_ours_stay_internal(error: Exception) -> None:
    assert explain(error, to="run tumorscope predict") is None


def test_packaged_is_a_model_wherever_one_is_taken(
    scans: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tumorscope import Detector
    from tumorscope.detection.detector import PACKAGED

    if not PACKAGED.is_file():
        pytest.skip("this installation holds no model")
    monkeypatch.chdir(scans.parent)
    assert Detector.load("packaged").model_id == Detector.load().model_id
    assert run(["predict", "scans", "--model", "packaged"]) == 0
    to_export = ["export", "packaged", "--to", "onnx-f16", "--calibration", "scans", "-o", "out"]
    assert run(to_export) == 3
    # The model was found and may be converted; the folder has no classes to judge it by.
    assert "healthy, negative" in capsys.readouterr().err
    # A file of that name goes first.
    Path("packaged").write_bytes(b"no model")
    assert run(["predict", "scans", "--model", "packaged"]) == 3
