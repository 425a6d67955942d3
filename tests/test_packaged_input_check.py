"""The input check of a finished model is learnt anew, and nothing else of the model changes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from packaged_model import brain_or_not, input_check
from packaged_model.brain_or_not import BrainOrNot, learn, look
from packaged_model.input_check import layers_of, pooled, renew_input_check, with_judge
from tests.fixtures.heads_of_models import pictures

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.files import sha256_of
from tumorscope.detection.engines import open_engine
from tumorscope.imaging import Preprocessing
from tumorscope.model_file.onnx_file import ModelFile, read_model, write_model
from tumorscope.synthetic.phantom_slice import phantom_slice


@pytest.fixture
def model(small_models: dict[str, ModelFile], tmp_path: Path) -> ModelFile:
    made = small_models["pooled"]
    card = "# Card\n\n## Input check\n\nold words\n\n## Evidence\n\nkept\n"
    return write_model(
        tmp_path / "m.onnx", made.graph, made.metadata.model_copy(update={"card": card})
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rows = []
    for number in range(40):
        scan = phantom_slice(tumour=False, seed=number, size=96)
        file = tmp_path / f"{number}.png"
        cv2.imwrite(str(file), scan.pixels)
        split = "testing" if number >= 30 else "training"
        rows.append(
            Row(
                path=f"{number}.png",
                sha256=sha256_of(file),
                label=0,
                group=f"g{number}",
                source=f"s{number % 6}",
                split=split,
            )
        )
    return Manifest(tuple(rows), tmp_path)


def test_only_the_check_changes(
    model: ModelFile, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((brain_or_not, "DRAWN"), (brain_or_not, "MOVED"), (input_check, "TESTED")):
        monkeypatch.setattr(module, name, 60)
    before = open_engine(model, "onnxruntime").run(pictures(8))
    said = renew_input_check(model.path, manifest)
    renewed = read_model(model.path)
    after = open_engine(renewed, "onnxruntime").run(pictures(8))
    for name in ("probability", "logit", "evidence", "bias"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert renewed.metadata.id in said
    check = renewed.metadata.input_check
    assert check.distance == 1.0
    assert check.refused_brain is not None
    assert check.refused_brain.value <= 0.3
    assert check.refused_other is not None
    assert check.refused_other.value > check.refused_brain.value
    changed = {"input_check", "card", "graph_sha256"}
    kept, was = (each.metadata.model_dump(exclude=changed) for each in (renewed, model))
    assert kept == was
    card = renewed.metadata.card
    assert "old words" not in card
    assert "taken apart" in card
    assert card.startswith("# Card\n\n## Input check\n\n")
    assert card.endswith("\n\n## Evidence\n\nkept\n")
    # What was renewed can be renewed again, with the same result.
    first = model.path.read_bytes()
    renew_input_check(model.path, manifest)
    assert model.path.read_bytes() == first


def test_the_graph_computes_what_was_learnt(model: ModelFile) -> None:
    graph = onnx.load_from_string(model.graph)
    layers = layers_of(graph)
    run = pooled(graph, layers)
    features = run(pictures(8))
    generator = np.random.default_rng(0)
    judge = BrainOrNot(
        tuple(generator.normal(size=(each.shape[1],)).astype(np.float32) for each in features), 0.3
    )
    changed = with_judge(graph, layers, judge)
    written = write_model(model.path, changed.SerializeToString(), model.metadata)
    found = open_engine(written, "onnxruntime").run(pictures(8)).distance
    np.testing.assert_allclose(found, judge.distances(features), rtol=1e-4)


def test_brains_of_sources_left_out_set_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brain_or_not, "DRAWN", 400)
    monkeypatch.setattr(brain_or_not, "MOVED", 150)
    how = Preprocessing(size=32)
    generator = np.random.default_rng(0)
    brains = generator.integers(0, 256, (200, 32, 32), dtype=np.uint8)

    def run(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        columns = pixels.reshape(len(pixels), -1)[:, ::16].astype(np.float32)
        return [np.abs(np.fft.rfft(columns, axis=1)).astype(np.float32)]

    sources = np.array([f"s{n % 7}" for n in range(200)])
    lesson = look(run, brains, sources, how)
    judge = learn(lesson)
    assert np.mean(judge.distances(run(brains)) > 1) <= 0.1
    assert judge.bias == learn(look(run, brains, sources, how)).bias


def test_a_model_without_distance_is_refused(model: ModelFile) -> None:
    graph = onnx.load_from_string(model.graph)
    for node in graph.graph.node:
        if node.output[0] == "distance":
            node.input[0] = next(n.output[0] for n in graph.graph.node if n.op_type == "Sigmoid")
    with pytest.raises(SystemExit, match="has no distance"):
        layers_of(graph)
