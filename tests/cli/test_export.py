"""``tumorscope export``: usage, and one conversion from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cli.app import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Distinct pictures; those with a tumour are the brighter ones, as the tiny model has it."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("no", "yes")):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for index in range(8):
            pixels = rng.normal(80 + 50 * label, 25, (8, 8)).repeat(8, 0).repeat(8, 1)
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(tmp_path / "scans" / name / f"{index}.png")
    return tmp_path / "scans"


def test_openvino_from_end_to_end(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("openvino", reason="needs the openvino extra")
    words = ["export", str(tiny_model), "--to", "openvino", "-o", str(tmp_path / "out"), "--json"]
    assert run([*words, "--calibration", str(scans)]) == 0
    parity = json.loads(capsys.readouterr().out)
    assert parity["attempts"][-1]["max_difference"] < 1e-5
    assert (
        run(["predict", str(scans), "--model", str(tmp_path / "out" / "tiny.xml"), "--json"]) == 0
    )
    converted = json.loads(capsys.readouterr().out)["findings"]
    assert run(["predict", str(scans), "--model", str(tiny_model), "--json"]) == 0
    original = json.loads(capsys.readouterr().out)["findings"]
    assert [each["decision"] for each in converted] == [each["decision"] for each in original]
    assert converted[0]["model"] != original[0]["model"]


def test_calibration_images_that_cannot_be_read_are_told(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    (scans / "yes" / "torn.png").write_bytes(b"torn")
    words = ["export", str(tiny_model), "--to", "onnx-f16", "-o", str(tmp_path / "out")]
    assert run([*words, "--calibration", str(scans)]) == 4
    assert "cannot read yes/torn.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "parity.json").is_file()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["{model}", "--to", "onnx"], 2, "is not a run"),
        (["{model}", "--to", "onnx-f16"], 2, "without --calibration"),
        (["{model}", "--to", "tensorrt"], 2, "tensorrt"),
        (["{model}", "--to", "litert", "--crossval", "cv"], 2, "card are fixed"),
        (["gone.onnx", "--to", "onnx-f16", "--calibration", "{scans}"], 3, "no such file"),
        (["{model}", "--to", "onnx-f16", "--calibration", "gone"], 3, "gone"),
        (["{scans}", "--to", "onnx"], 3, "no run"),
    ],
)
def test_wrong_usage(
    tiny_model: Path,
    scans: Path,
    tmp_path: Path,
    capsys: Capture,
    words: list[str],
    code: int,
    message: str,
) -> None:
    filled = [word.format(model=tiny_model, scans=scans) for word in words]
    assert run(["export", *filled, "-o", str(tmp_path / "out")]) == code
    assert message in capsys.readouterr().err
