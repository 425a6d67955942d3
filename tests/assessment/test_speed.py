"""Benchmarks run, name their contenders, and count operations rightly. No time is asserted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.assessment import speed
from tumorscope.assessment.speed import ENGINE_ALONE, KERAS, LIMIT, bench
from tumorscope.cli.app import run
from tumorscope.common.errors import InputError, UsageError
from tumorscope.model_file.onnx_file import read_model
from tumorscope.networks.cost import macs


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    (tmp_path / "scans").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "scans" / f"{number}.png")
    return sorted((tmp_path / "scans").iterdir())


@pytest.fixture(autouse=True)
def _one_cold_start_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start of Keras takes seconds, and its median is not what is tested."""
    start = speed._cold_start
    monkeypatch.setattr(
        speed,
        "_cold_start",
        lambda model, image, keras_model, _: start(model, image, keras_model, 1),
    )


def test_keras_is_the_reference(tiny_model: Path, images: list[Path], tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((64, 64, 3)), keras.layers.GlobalAveragePooling2D()]
    keras.Sequential([*layers, keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    timings = bench([tiny_model], images, keras_model=tmp_path / "model.keras", repeats=2)
    for measure, reference in (("one image", KERAS), ("folder", KERAS)):
        by_name = {each.contender: each for each in timings if each.measure == measure}
        assert by_name[reference].against_keras == 1.0
        ours = by_name["onnxruntime float32"]
        assert ours.against_keras == pytest.approx(by_name[reference].median_ms / ours.median_ms)
    assert {each.contender for each in timings if each.measure == "cold start"} == {
        "tumorscope predict",
        "Keras script",
    }


def test_multiply_accumulates_are_those_of_the_kernels(tiny_model: Path) -> None:
    # One convolution of 8 × 8 pixels at each of 8 × 8 places.
    assert macs(read_model(tiny_model).graph, size=64) == 8 * 8 * 8 * 8


def test_the_command_writes_a_table_of_every_measure_and_its_contenders(
    tiny_model: Path, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bench", "--model", str(tiny_model), "--data", str(images[0].parent)]
    assert run([*words, "--repeats", "2", "-o", str(tmp_path / "bench.csv")]) == 0
    assert "cold start" in capsys.readouterr().out
    with (tmp_path / "bench.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(float(row["median_ms"]) > 0 for row in rows)
    found = {(row["measure"], row["contender"]) for row in rows}
    assert {
        ("one image", "onnxruntime float32"),
        ("folder", "onnxruntime float32"),
        ("folder", ENGINE_ALONE),
        ("network", ENGINE_ALONE),
        ("network", LIMIT),
        ("cold start", "tumorscope predict"),
    } <= found
    assert not any(contender == KERAS for _, contender in found)


def test_wrong_usage(tiny_model: Path, images: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        bench([tiny_model], images, repeats=0)
    with pytest.raises(InputError, match="no images"):
        bench([tiny_model], [])
    assert run(["bench", "--model", str(tmp_path / "gone.onnx")]) == 3
