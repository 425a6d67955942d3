"""What stores its weights in fewer bits converts like its original; what rounds activations not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.fixtures.heads_of_models import pictures

from tumorscope.common.errors import InputError
from tumorscope.conversion import int8
from tumorscope.conversion.original import check_original, original_of
from tumorscope.conversion.storage import to_float16
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile, read_model, write_model

PACKAGED = Path(__file__).parents[2] / "src" / "tumorscope" / "models" / "default.onnx"


def stored(model: ModelFile, graph: bytes, path: Path, precision: str) -> ModelFile:
    return write_model(path, graph, model.metadata.model_copy(update={"precision": precision}))


@pytest.mark.parametrize("head", ["pooled", "dense"])
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_stored_weights_are_restored_and_compute_the_same(
    small_models: dict[str, ModelFile],
    tmp_path: Path,
    head: str,
    precision: str,
) -> None:
    model = small_models[head]
    graph = (
        to_float16(model.graph)
        if precision == "float16"
        else int8.weights_only(model.graph, smallest=64)
    )
    small = stored(model, graph, tmp_path / "small.onnx", precision)
    original = original_of(small)
    assert original.metadata.precision == "float32"
    assert original.metadata.id == small.metadata.id
    kinds = {
        onnx.TensorProto.DataType.Name(each.data_type)
        for each in onnx.load_from_string(original.graph).graph.initializer
    }
    assert kinds <= {"FLOAT", "INT64"}
    before, after = (open_engine(each).run(pictures(4)) for each in (small, original))
    for name in ("probability", "logit", "evidence", "bias", "distance"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_the_packaged_model_has_an_original() -> None:
    model = read_model(PACKAGED)
    check_original(model)
    assert len(original_of(model).graph) > 8_000_000


def test_a_model_of_float32_is_its_own_original(small_models: dict[str, ModelFile]) -> None:
    assert original_of(small_models["pooled"]) is small_models["pooled"]


def test_a_model_that_computes_in_integers_is_refused(
    small_models: dict[str, ModelFile],
    tmp_path: Path,
) -> None:
    model = small_models["pooled"]
    made = stored(model, int8.quantise(model.graph, pictures(8)), tmp_path / "q.onnx", "int8")
    for ask in (check_original, original_of):
        with pytest.raises(InputError, match="computes in 8-bit integers"):
            ask(made)
