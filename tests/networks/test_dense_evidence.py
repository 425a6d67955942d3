"""Evidence of the dense head sums to the logit exactly, in every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tumorscope.networks.backend import load_keras
from tumorscope.networks.dense_evidence import evidence_of
from tumorscope.networks.onnx_graph import OPSET, Graph

maps = arrays.arrays(
    np.float32,
    st.tuples(st.just(2), st.integers(1, 7), st.integers(1, 7)),
    elements=st.floats(-1e4, 1e4, width=32),
)
temperatures = st.floats(0.01, 100.0)


def by_definition(local: np.ndarray, r: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Logit, evidence and bias ``−ln N / r`` of maps (n, h, w).

    The evidence is ``w·(l − ln w / r)`` where that sums to more than 0, else spread evenly.
    """
    values = local.astype(np.float64).reshape(len(local), -1)
    scaled = r * values
    most = scaled.max(axis=1, keepdims=True)
    log_sum = most + np.log(np.exp(scaled - most).sum(axis=1, keepdims=True))
    log_w = scaled - log_sum
    evidence = np.exp(log_w) * (values - log_w / r)
    whole = evidence.sum(axis=1, keepdims=True)
    evidence = np.where(whole > 0, evidence, whole / values.shape[1])
    bias = -np.log(values.shape[1]) / r
    return log_sum[:, 0] / r + bias, evidence.reshape(local.shape), bias


def in_onnx(local: np.ndarray, r: float) -> tuple[np.ndarray, np.ndarray]:
    import onnxruntime

    graph = Graph()
    evidence, bias = evidence_of(graph, "local", (local.shape[1], local.shape[2]), r)
    graph.output("evidence", evidence)
    graph.output("bias", bias)
    tensor: Any = onnx.helper.make_tensor_value_info
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "evidence",
            [tensor("local", onnx.TensorProto.FLOAT, ["n", 1, *local.shape[1:]])],
            [tensor(name, onnx.TensorProto.FLOAT, None) for name in ("evidence", "bias")],
            initializer=graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    made = session.run(None, {"local": local[:, None]})
    return made[0], made[1]


@given(local=maps, r=temperatures)
def test_it_sums_to_the_logit(local: np.ndarray, r: float) -> None:
    logit, evidence, bias = by_definition(local, r)
    np.testing.assert_allclose(evidence.sum(axis=(1, 2)) + bias, logit, rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(local=maps, r=temperatures)
def test_the_model_file_follows_the_definition(local: np.ndarray, r: float) -> None:
    logit, evidence, bias = by_definition(local, r)
    found, biases = in_onnx(local, r)
    # float32 knows a local logit of 10,000 to 0.001, and its exponential to r times that.
    scale = 1e-6 * (np.abs(local).max() + np.log(local[0].size) / r)
    np.testing.assert_allclose(biases, bias, rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=(1, 2)) + biases, logit, atol=4 * scale + 1e-6)
    np.testing.assert_allclose(
        found, evidence, rtol=0, atol=(4 + r * np.abs(local).max()) * scale + 1e-6
    )


@settings(max_examples=40)
@given(local=maps, r=temperatures)
def test_keras_pools_to_the_same_logit(local: np.ndarray, r: float) -> None:
    load_keras()
    from tumorscope.networks.dense_layers import LogSumExpPooling

    logit, _, _ = by_definition(local, r)
    pooled = np.asarray(LogSumExpPooling(r)(local[..., None]))[:, 0]
    scale = 1e-6 * (np.abs(local).max() + np.log(local[0].size) / r)
    np.testing.assert_allclose(pooled, logit, atol=4 * scale + 1e-6)


@given(value=st.floats(-50, 50, width=32), r=temperatures)
def test_what_every_place_says_the_image_says(value: float, r: float) -> None:
    local = np.full((1, 5, 3), value, np.float32)
    logit, evidence, bias = by_definition(local, r)
    np.testing.assert_allclose(logit, value, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(evidence, (value - bias) / 15, rtol=1e-6, atol=1e-6)


def test_where_nothing_speaks_for_a_tumour_no_place_stands_out() -> None:
    local = np.full((1, 3, 3), -9.0, np.float32)
    local[0, 1, 1] = -5.0
    evidence, _ = in_onnx(local, 1.0)
    assert np.ptp(evidence) == 0
    assert evidence.max() < 0
    local[0, 1, 1] = 5.0
    evidence, _ = in_onnx(local, 1.0)
    assert evidence.argmax() == 4
    assert evidence.max() > 0.99 * evidence.sum() > 4.9
