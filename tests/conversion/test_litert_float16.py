"""Large weights take half the room; what float16 cannot hold stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.heads_of_models import pictures

from tumorscope.conversion.litert import write_litert
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import read_any


@pytest.mark.parametrize("head", ["flatten", "dense"])
def test_half_the_size_and_the_same_distances(
    small_models: dict[str, ModelFile], tmp_path: Path, head: str
) -> None:
    model, sizes, outputs = small_models[head], [], []
    for precision in ("float32", "float16"):
        path = tmp_path / f"{precision}.tflite"
        write_litert(model, path, precision=precision)
        sizes.append(path.stat().st_size)
        outputs.append(open_engine(read_any(path)).run(pictures(6)))
    assert sizes[1] < 0.7 * sizes[0]
    before, after = outputs
    np.testing.assert_allclose(after.distance, before.distance, rtol=0.05)
    np.testing.assert_allclose(after.logit, before.logit, rtol=1e-2, atol=1e-3)
    assert np.abs(after.logit - before.logit).max() > 0
