"""One contract, three engines: the same numbers, from several threads, for any batch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import tumorscope
from tumorscope.common.errors import InputError, UsageError
from tumorscope.detection.engines import ENGINES, Engine, Outputs, engine_of, open_engine
from tumorscope.detection.engines.base import outputs_of
from tumorscope.model_file.onnx_file import ModelFile, read_model, write_model
from tumorscope.model_file.other_formats import read_any
from tumorscope.model_file.schema import OUTPUTS

CASES = ("onnxruntime", "openvino", "openvino-xml", "litert")
PACKAGES = {"openvino": "openvino", "litert": "ai_edge_litert.interpreter"}
Open = Callable[..., Engine]


@pytest.fixture(params=CASES)
def model(request: pytest.FixtureRequest, tiny_model: Path) -> tuple[ModelFile, str]:
    """A model file and the engine to run it."""
    engine, _, form = request.param.partition("-")
    if engine != "onnxruntime":
        pytest.importorskip(PACKAGES[engine], reason=f"needs the extra {engine}")
    if form or engine == "litert":
        return read_any(request.getfixturevalue(f"tiny_{engine}")), engine
    return read_any(tiny_model), engine


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 64, 64)).astype(np.uint8)


def assert_same(one: Outputs, other: Outputs) -> None:
    for name in OUTPUTS:
        mine, yours = getattr(one, name), getattr(other, name)
        assert mine.dtype == np.float32
        assert mine.shape == yours.shape
        np.testing.assert_allclose(mine, yours, atol=1e-4, rtol=1e-4, err_msg=name)


def expected(pixels: np.ndarray) -> Outputs:
    """What the tiny model computes, in numpy."""
    means = pixels.reshape(-1, 8, 8, 8, 8).mean(axis=(2, 4)).astype(np.float32)
    evidence = means / np.float32(640)
    logit = evidence.sum((1, 2)) - np.float32(10)
    probability = 1 / (1 + np.exp(-(np.float32(0.8) * logit + np.float32(0.1))))
    return Outputs(probability, logit, evidence, np.full_like(logit, -10), means.std((1, 2)))


@pytest.mark.parametrize("n", range(1, 6))
def test_every_engine_computes_the_same(
    model: tuple[ModelFile, str], pixels: np.ndarray, n: int
) -> None:
    engine = open_engine(model[0], model[1], threads=1)
    assert engine.name == model[1]
    outputs = engine.run(pixels[:n])
    assert_same(outputs, expected(pixels[:n]))
    np.testing.assert_allclose(
        outputs.evidence.sum((1, 2)) + outputs.bias, outputs.logit, atol=1e-4
    )


def test_so_many_at_once_have_the_very_numbers_that_each_has_alone(
    model: tuple[ModelFile, str], pixels: np.ndarray
) -> None:
    engine = open_engine(model[0], model[1], threads=1)
    together = engine.run(pixels[: engine.at_once])
    for index in range(engine.at_once):
        alone = engine.run(pixels[index : index + 1])
        for name in OUTPUTS:
            np.testing.assert_array_equal(getattr(together, name)[index], getattr(alone, name)[0])


def test_threads_may_share_an_engine(model: tuple[ModelFile, str], pixels: np.ndarray) -> None:
    engine = open_engine(model[0], model[1], threads=1)
    wanted = expected(pixels)
    rng = np.random.default_rng(1)
    orders = [rng.permutation(5)[: rng.integers(1, 6)] for _ in range(60)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda order: engine.run(pixels[order]), orders))
    for order, result in zip(orders, results, strict=True):
        assert_same(result, Outputs(*(getattr(wanted, name)[order] for name in OUTPUTS)))


def test_results_outlive_the_next_run(model: tuple[ModelFile, str], pixels: np.ndarray) -> None:
    engine = open_engine(model[0], model[1])
    first = engine.run(pixels[:1])
    engine.run(pixels[1:2])
    assert_same(first, expected(pixels[:1]))


def test_the_engine_that_a_file_was_made_for_is_the_default(model: tuple[ModelFile, str]) -> None:
    natural = {".onnx": "onnxruntime", ".xml": "openvino", ".tflite": "litert"}
    assert open_engine(model[0]).name == natural[model[0].path.suffix]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("change", "words"),
    [("size", "inputs are pixels"), ("output", "outputs are"), ("classes", "outputs are")],
)
def test_a_graph_of_another_kind_is_refused(
    tiny_model: Path, tmp_path: Path, engine: str, change: str, words: str
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    if engine == "openvino":
        pytest.importorskip("openvino", reason="needs the extra openvino")
    metadata = read_model(tiny_model).metadata
    graph = onnx.load(tiny_model)
    if change == "size":
        prepared = metadata.preprocessing.model_copy(update={"size": 96})
        metadata = metadata.model_copy(update={"preprocessing": prepared})
    elif change == "output":
        del graph.graph.output[4]
    else:  # a classifier of many classes
        del graph.graph.output[:]
        graph.graph.output.append(
            onnx.helper.make_tensor_value_info("evidence", onnx.TensorProto.FLOAT, ["n", 8, 8])
        )
    other = write_model(tmp_path / "other.onnx", graph.SerializeToString(), metadata)
    with pytest.raises(InputError, match=words):
        open_engine(other, engine)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_graph_that_does_not_load_is_refused(
    tiny_model: Path, tmp_path: Path, engine: str
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    if engine == "openvino":
        pytest.importorskip("openvino", reason="needs the extra openvino")
    graph = onnx.load(tiny_model)
    graph.graph.node[2].op_type = "NoSuchOperator"
    metadata = read_model(tiny_model).metadata
    broken = write_model(tmp_path / "broken.onnx", graph.SerializeToString(), metadata)
    with pytest.raises(InputError, match="cannot load it"):
        open_engine(broken, engine)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({0: np.float32([1.5, 0.5])}, "probabilities are"),
        ({0: np.float32([np.nan, 0.5])}, "probabilities are"),
        ({1: np.float32([np.inf, 0.5])}, "no number"),
        ({2: np.full((2, 8, 8), np.nan, np.float32)}, "no number"),
        ({2: np.zeros((2, 8, 9), np.float32)}, "shapes"),
        ({3: np.zeros(3, np.float32)}, "shapes"),
    ],
)
def test_answers_that_no_model_file_gives_are_refused(
    tiny_model: Path, wrong: dict[int, np.ndarray], words: str
) -> None:
    model = read_model(tiny_model)
    each, evidence = np.float32([0.1, 0.9]), np.zeros((2, 8, 8), np.float32)
    beyond = np.float32([np.inf, 1.0])  # a distance may be beyond all limits
    values = [each, each, evidence, each, beyond]
    assert outputs_of(values, model, 2).probability.tolist() == pytest.approx([0.1, 0.9])
    with pytest.raises(InputError, match=words):
        outputs_of([wrong.get(index, each) for index, each in enumerate(values)], model, 2)


def test_a_tflite_of_another_size_or_damaged_inside_is_refused(tiny_litert: Path) -> None:
    model = read_any(tiny_litert)
    prepared = model.metadata.preprocessing.model_copy(update={"size": 96})
    metadata = model.metadata.model_copy(update={"preprocessing": prepared})
    with pytest.raises(InputError, match="its inputs are"):
        open_engine(ModelFile(model.path, metadata, model.graph))
    with pytest.raises(InputError, match="LiteRT cannot load it"):
        open_engine(ModelFile(model.path, model.metadata, model.graph[:8]))


ROOT = Path(tumorscope.__file__).resolve().parents[2]


@pytest.mark.parametrize("engine", ["openvino", "litert"])
def test_an_engine_that_is_not_installed_names_its_extra(
    tiny_model: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = PACKAGES[engine]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, package.partition(".")[0], None)
    model = read_any(tiny_model)
    if engine == "litert":
        model = ModelFile(Path("tiny.tflite"), model.metadata, model.graph)
    with pytest.raises(UsageError) as caught:
        open_engine(model, engine)
    assert f'install -e "{"." if Path.cwd() == ROOT else ROOT}[{engine}]"' in str(caught.value)


def test_engines_that_do_not_read_the_file_or_do_not_exist_are_refused(tiny_model: Path) -> None:
    model = read_any(tiny_model)
    with pytest.raises(UsageError, match="tumorscope export"):
        open_engine(model, "litert")
    with pytest.raises(UsageError, match="Expected litert"):
        open_engine(ModelFile(Path("a.tflite"), model.metadata, b""), "onnxruntime")
    with pytest.raises(UsageError, match=", ".join(ENGINES)):
        open_engine(model, "abacus")


def test_the_fast_way_still_adds_up(tiny_model: Path, pixels: np.ndarray) -> None:
    pytest.importorskip("openvino", reason="needs the extra openvino")
    model = read_any(tiny_model)
    fast = open_engine(model, "openvino", fast=True).run(pixels)
    np.testing.assert_allclose(fast.logit, expected(pixels).logit, atol=0.1)
    np.testing.assert_allclose(fast.evidence.sum((1, 2)) + fast.bias, fast.logit, atol=1e-3)


class OnProcessor:
    """What stands in for the build of ONNX Runtime that can use graphics cards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, card: bool) -> None:
        self.asked: list[Any] = []
        real, offered = onnxruntime.InferenceSession, ["CUDAExecutionProvider"]

        def session(graph: bytes, options: Any, *, providers: list[Any], **how: Any) -> Any:
            self.asked = providers
            made = real(graph, options, providers=["CPUExecutionProvider"], **how)
            if card:
                made.get_providers = lambda: [*offered, "CPUExecutionProvider"]
            return made

        def both() -> list[str]:
            return [*offered, "CPUExecutionProvider"]

        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        monkeypatch.setattr(onnxruntime, "get_available_providers", both)


def test_a_graphics_card_is_asked_first_and_computes_the_same(
    tiny_model: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = OnProcessor(monkeypatch, card=True)
    engine = open_engine(read_any(tiny_model), "cuda")
    assert_same(engine.run(pixels), expected(pixels))
    assert engine.name == "cuda"
    assert stand_in.asked == [
        ("CUDAExecutionProvider", {"use_tf32": "0"}),
        "CPUExecutionProvider",
    ]


def test_no_graphics_card_is_an_error_and_not_a_slow_answer(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = read_any(tiny_model)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(
            UsageError, match=r"computes with .*CPUExec.*pip install .onnxruntime-gpu"
        ):
            engine_of(model, "cuda")
    OnProcessor(monkeypatch, card=False)
    assert engine_of(model, "cuda") == "cuda"  # nothing is opened yet
    with pytest.raises(UsageError, match=r"cannot use a graphics card here\. Expected an NVIDIA"):
        open_engine(model, "cuda")
    assert capsys.readouterr().out == ""
