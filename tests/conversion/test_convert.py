"""Every format answers as the original does, or is refused; what is written says how it did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tumorscope.common.errors import HonestyError, InputError, OutputError, UsageError
from tumorscope.conversion import convert as module
from tumorscope.conversion.convert import convert
from tumorscope.conversion.formats import FORMATS, Format
from tumorscope.conversion.parity import Limits
from tumorscope.conversion.sample import Sample
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import read_any

TOLERANCE = {"onnx-f16": 1e-2, "openvino": 1e-4, "litert": 1e-4, "litert-f16": 1e-2}


def limit(monkeypatch: pytest.MonkeyPatch, to: Format, limits: Limits) -> None:
    monkeypatch.setattr(module, "FORMATS", {**FORMATS, to: replace(FORMATS[to], limits=limits)})


@pytest.mark.parametrize("to", list(TOLERANCE))
@pytest.mark.parametrize("head", ["pooled", "flatten", "dense"])
def test_it_answers_as_the_original(
    small_models: dict[str, ModelFile], sample: Sample, tmp_path: Path, to: str, head: str
) -> None:
    model = small_models[head]
    made = convert(model, to, output=tmp_path, sample=sample)
    read = read_any(made.path)
    before = open_engine(model).run(sample.pixels)
    after = open_engine(read, FORMATS[to].engine).run(sample.pixels)
    for name in ("probability", "logit", "evidence", "bias", "distance"):
        ours, theirs = getattr(after, name), getattr(before, name)
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE[to], atol=TOLERANCE[to])
    assert np.ptp(before.logit) > 0.01
    assert read.metadata.operating_points == model.metadata.operating_points
    document = json.loads((tmp_path / "parity.json").read_text())["formats"][to]
    assert document["attempts"][-1]["passed"] is True
    assert document["images_judged_on"] == 40
    assert document["attempts"][-1]["flips"] == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"parity.json", *document["files"]}


def test_sixteen_bits_halve_the_file(
    small_models: dict[str, ModelFile], sample: Sample, tmp_path: Path
) -> None:
    model = small_models["flatten"]
    made = convert(model, "onnx-f16", output=tmp_path, sample=sample)
    assert made.path.stat().st_size < 0.65 * len(model.graph)
    assert read_any(made.path).metadata.precision == "float16"


@pytest.mark.parametrize("to", ["onnx-int8", "litert-int8"])
def test_eight_bits_pass_the_gate_or_nothing_is_written(
    small_models: dict[str, ModelFile],
    sample: Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    to: Format,
) -> None:
    # Random weights put all logits close together: what a decision does there says nothing.
    limit(monkeypatch, to, Limits(auc_fall=0.3, changed_decisions=1.0))
    made = convert(small_models["pooled"], to, output=tmp_path / "a", sample=sample)
    read = read_any(made.path)
    assert read.metadata.precision == "int8"
    outputs = open_engine(read, FORMATS[to].engine).run(sample.pixels)
    before = open_engine(small_models["pooled"]).run(sample.pixels)
    total = outputs.evidence.sum((1, 2)) + outputs.bias
    np.testing.assert_allclose(total, outputs.logit, atol=1e-3)
    # 8 bits are noticed, and yet the answers go together.
    assert 0 < np.abs(outputs.logit - before.logit).max() < np.ptp(before.logit)
    limit(monkeypatch, to, Limits(auc_fall=-1.0))
    with pytest.raises(
        HonestyError, match="none of 4 ways" if to == "onnx-int8" else "none of 2 ways"
    ):
        convert(small_models["pooled"], to, output=tmp_path / "b", sample=sample)
    assert not (tmp_path / "b").exists()


def test_formats_of_one_folder_share_a_record(
    small_models: dict[str, ModelFile], sample: Sample, tmp_path: Path
) -> None:
    formats: tuple[Format, ...] = ("onnx-f16", "openvino")
    for to in formats:
        convert(small_models["pooled"], to, output=tmp_path, sample=sample)
    document = json.loads((tmp_path / "parity.json").read_text())
    assert set(document["formats"]) == {"onnx-f16", "openvino"}


@pytest.mark.parametrize("to", ["openvino", "litert"])
def test_what_stores_fewer_bits_converts_as_what_it_computes(
    small_models: dict[str, ModelFile], sample: Sample, tmp_path: Path, to: Format
) -> None:
    half = read_any(convert(small_models["dense"], "onnx-f16", output=tmp_path, sample=sample).path)
    made = convert(half, to, output=tmp_path, sample=sample)
    metrics = made.attempts[-1].parity.metrics
    assert metrics is not None
    assert metrics.max_difference < 1e-5
    assert read_any(made.path).metadata.precision == "float32"
    assert made.parity["model"] == half.metadata.id


def test_a_sample_of_one_class_is_refused(
    small_models: dict[str, ModelFile], sample: Sample, tmp_path: Path
) -> None:
    one = sample.of(np.flatnonzero(sample.labels == 1))
    for to in FORMATS:
        with pytest.raises(InputError, match="both classes"):
            convert(small_models["pooled"], to, output=tmp_path / "out", sample=one)
    assert not (tmp_path / "out").exists()


def test_a_missing_engine_names_the_extra(
    small_models: dict[str, ModelFile],
    sample: Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(UsageError, match=r"\[openvino\]"):
        convert(small_models["pooled"], "openvino", output=tmp_path, sample=sample)


def test_a_full_disk_is_no_fault_of_ours_and_leftovers_of_a_kill_are_removed(
    small_models: dict[str, ModelFile],
    sample: Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openvino = pytest.importorskip("openvino", reason="needs the extra openvino")

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    (tmp_path / ".export-abcdefgh.partial").mkdir()
    monkeypatch.setattr(openvino, "save_model", full)
    with pytest.raises(OutputError, match="place with room"):
        convert(small_models["pooled"], "openvino", output=tmp_path, sample=sample)
    assert list(tmp_path.iterdir()) == []
