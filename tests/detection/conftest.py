"""The tiny model in the formats of the other engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.model_file.artefacts import seal_litert, seal_openvino
from tumorscope.model_file.container import read_model, without_metadata


@pytest.fixture(scope="session")
def tiny_openvino(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as an .xml with its .bin."""
    openvino = pytest.importorskip("openvino", reason="needs the extra openvino")
    model = read_model(tiny_model)
    path = tmp_path_factory.mktemp("openvino") / "tiny.xml"
    network = openvino.Core().read_model(without_metadata(model.graph))
    openvino.save_model(network, path, compress_to_fp16=False)
    weights = path.with_suffix(".bin").read_bytes()
    path.write_bytes(seal_openvino(path.read_bytes(), weights, model.metadata)[0])
    return path


@pytest.fixture(scope="session")
def tiny_litert(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a .tflite, written out again in TensorFlow."""
    pytest.importorskip("ai_edge_litert", reason="needs the extra litert")
    tf = pytest.importorskip("tensorflow", reason="needs the train extra")

    class Tiny(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 64, 64], tf.uint8, name="pixels")])
        def run(self, pixels: object) -> dict[str, object]:
            grey = tf.cast(pixels, tf.float32)[..., None]
            means = tf.nn.avg_pool2d(grey, 8, 8, "VALID")[..., 0]
            evidence = means / 640.0
            logit = tf.reduce_sum(evidence, (1, 2)) - 10.0
            return {
                "probability": tf.sigmoid(0.8 * logit + 0.1),
                "logit": logit,
                "evidence": evidence,
                "bias": logit - tf.reduce_sum(evidence, (1, 2)),
                "distance": tf.math.reduce_std(means, (1, 2)),
            }

    tiny = Tiny()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [tiny.run.get_concrete_function()], tiny
    )
    path = tmp_path_factory.mktemp("litert") / "tiny.tflite"
    path.write_bytes(seal_litert(converter.convert(), read_model(tiny_model).metadata)[0])
    return path
