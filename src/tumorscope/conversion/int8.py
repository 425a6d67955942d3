"""A model file's graph → 8-bit integers, in several ways, the fastest first.

Only the backbone is quantised. The head, evidence, calibration and input check stay float32, and
so evidence sums to the logit whatever happens before it.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.conversion.storage import store_float16, store_int8

if TYPE_CHECKING:
    import onnx

QUANTISED = ("Conv", "Add", "Sum", "Clip", "Relu")
HEAD_CHANNELS = 8
"""Convolutions with at most as many output channels and no convolution after them are evidence."""

LARGEST_LAYERS = 100_000
"""Numbers in a layer's weights from which on it is one of the last ones, whose rounding matters
least: no later layer amplifies it. In MobileNetV2 these are two thirds of all weights."""

LAST_LAYERS = 200_000
"""The same, for the last way; in MobileNetV2 these are two layers, a third of all weights."""

SENSITIVE_SHARE = 0.2
"""Share of convolutions that the fourth attempt leaves in float."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to quantise: its name in `parity.json`, and the graph that it makes."""

    name: str
    make: Callable[[], bytes]


def attempts(graph: bytes, pixels: NDArray[np.uint8]) -> Iterator[Attempt]:
    """Yield ways to quantise a graph, the fastest and smallest first.

    Parameters
    ----------
    graph : bytes
        Serialised ONNX model of float32, with input ``pixels``.
    pixels : ndarray of uint8, shape (n, size, size)
        Images to calibrate the ranges of activations on.

    Raises
    ------
    InputError
        If the graph has no convolutions to quantise.
    """
    body = backbone_nodes(_load(graph))
    convolutions = [name for name, operator in body.items() if operator == "Conv"]
    if not convolutions:
        raise InputError(
            "The model has no convolutions, of which 8-bit models are made. Expected a "
            "convolutional network. Export it as onnx-f16."
        )

    def static(*, per_channel: bool, leave: Callable[[], set[str]] = set) -> Callable[[], bytes]:
        return lambda: quantise(graph, pixels, per_channel=per_channel, leave=leave())

    yield Attempt("per-channel", static(per_channel=True))
    yield Attempt("per-tensor", static(per_channel=False))
    shallow = set(convolutions[:1]) | set(_depthwise(_load(graph)))
    yield Attempt(
        "per-channel, first and depthwise convolutions in float",
        static(per_channel=True, leave=lambda: shallow),
    )
    count = max(1, round(SENSITIVE_SHARE * len(convolutions)))
    yield Attempt(
        f"per-channel, the {count} most sensitive convolutions in float",
        static(
            per_channel=True,
            leave=lambda: set(sensitive(graph, pixels[:: max(1, len(pixels) // 16)])[:count]),
        ),
    )
    yield Attempt("weights only", lambda: weights_only(graph))
    yield Attempt(
        "weights of the largest layers only", lambda: weights_only(graph, smallest=LARGEST_LAYERS)
    )
    yield Attempt(
        "weights of the very largest layers only", lambda: weights_only(graph, smallest=LAST_LAYERS)
    )


def quantise(
    graph: bytes, pixels: NDArray[np.uint8], *, per_channel: bool, leave: set[str] | None = None
) -> bytes:
    """Quantise weights and activations of the backbone (ONNX Runtime, static, QDQ).

    Parameters
    ----------
    graph : bytes
        As for `attempts`.
    pixels : ndarray of uint8, shape (n, size, size)
        Images to calibrate on.
    per_channel : bool
        One scale per output channel of a kernel instead of one per kernel.
    leave : set of str, optional
        Convolutions (names as in `backbone_nodes`) to leave in float32.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = _load(graph)
    body = _without(model, backbone_nodes(model), leave or set())
    del model.metadata_props[:]
    # What ONNX Runtime's own preparation would note: our graphs are folded and named already.
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with _calm(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "quantised.onnx")
        quantize_static(
            model,
            path,
            _reader(pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_quantize=body,
            per_channel=per_channel,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        made = onnx.load(path)
    store_int8(made)
    store_float16(made, keep=_scales(made))
    return _finish(made)


def weights_only(graph: bytes, *, smallest: int = 1024) -> bytes:
    """Store the weights as int8, and compute in float32: small, not faster.

    Parameters
    ----------
    graph : bytes
        As for `attempts`.
    smallest : int
        Arrays of fewer numbers are stored as float16.
    """
    model = _load(graph)
    store_int8(model, smallest=smallest)
    store_float16(model, keep=_scales(model))
    return _finish(model)


def sensitive(graph: bytes, pixels: NDArray[np.uint8]) -> list[str]:
    """Order the convolutions by how much rounding each one's weights alone moves the logit.

    Parameters
    ----------
    graph : bytes
        As for `attempts`.
    pixels : ndarray of uint8, shape (n, size, size)
        A few images; 16 order layers well enough.

    Returns
    -------
    list of str
        Names of convolutions, the most sensitive first.
    """
    from onnx import numpy_helper

    model = _load(graph)
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    body = backbone_nodes(model)
    before = _logits(model, pixels)
    moved: dict[str, float] = {}
    for node in model.graph.node:
        if node.op_type != "Conv" or node.name not in body or node.input[1] not in arrays:
            continue
        tensor = arrays[node.input[1]]
        original = tensor.SerializeToString()
        values = numpy_helper.to_array(tensor)
        # Four bits instead of eight, so that the effect stands out from rounding of float32.
        scale = max(float(np.abs(values).max()), 1e-12) / 7
        rounded = (np.rint(values / scale) * scale).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
        moved[node.name] = float(np.square(_logits(model, pixels) - before).mean())
        tensor.ParseFromString(original)
    return sorted(moved, key=lambda name: moved[name], reverse=True)


def backbone_nodes(model: onnx.ModelProto) -> dict[str, str]:
    """Return name → operator of the nodes to quantise, in order.

    These lie between the first convolution and the last one that makes features, and the last
    one's activation. Nodes that no such convolution depends on are the head.
    """
    from onnx import numpy_helper

    kernels = {tensor.name: tensor for tensor in model.graph.initializer}
    maker = {output: node for node in model.graph.node for output in node.output}
    leads: set[str] = set()
    for node in reversed(model.graph.node):
        after = any(output in leads for output in node.output)
        if node.op_type == "Conv" and node.input[1] in kernels:
            wide = numpy_helper.to_array(kernels[node.input[1]]).shape[0] > HEAD_CHANNELS
            after = after or wide
        if after:
            leads.update(node.input)
            leads.update(node.output)
    found: dict[str, str] = {}
    deep: set[str] = set()  # values that a convolution of the backbone has been through
    for node in model.graph.node:
        if node.op_type not in QUANTISED:
            if any(value in deep for value in node.input):
                deep.update(node.output)
            continue
        belongs = all(output in leads for output in node.output)
        if node.op_type != "Conv":
            source = maker.get(node.input[0])
            activates = (
                node.op_type in ("Clip", "Relu") and source is not None and source.name in found
            )
            belongs = (belongs or activates) and node.input[0] in deep
        if belongs:
            found[node.name] = node.op_type
            deep.update(node.output)
    return found


def _without(model: onnx.ModelProto, body: dict[str, str], leave: set[str]) -> list[str]:
    """Return the nodes of `body` but those in `leave` and their activations.

    The range before an activation is much wider than after it; to quantise there, which ONNX
    Runtime does for an activation alone, loses more than a quantised convolution does.
    """
    maker = {output: node.name for node in model.graph.node for output in node.output}
    activations = {
        node.name
        for node in model.graph.node
        if body.get(node.name) in ("Clip", "Relu") and maker[node.input[0]] in leave
    }
    return [name for name in body if name not in leave | activations]


def _load(graph: bytes) -> onnx.ModelProto:
    import onnx

    model = onnx.load_from_string(graph)
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    return model


def _depthwise(model: onnx.ModelProto) -> list[str]:
    return [
        node.name
        for node in model.graph.node
        if any(each.name == "group" and each.i > 1 for each in node.attribute)
    ]


def _scales(model: onnx.ModelProto) -> set[str]:
    linear = ("QuantizeLinear", "DequantizeLinear")
    return {name for node in model.graph.node if node.op_type in linear for name in node.input}


def _logits(model: onnx.ModelProto, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logit"], {"pixels": pixels})
    return np.asarray(logits, dtype=np.float64)


def _reader(pixels: NDArray[np.uint8]) -> object:
    from onnxruntime.quantization import CalibrationDataReader

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = iter(pixels[start : start + 8] for start in range(0, len(pixels), 8))

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"pixels": batch}

    return Batches()


def _finish(model: onnx.ModelProto) -> bytes:
    import onnx

    # ONNX Runtime's tools name their own operator set although none of its operators is used.
    standard = [each for each in model.opset_import if each.domain in ("", "ai.onnx")]
    del model.opset_import[:], model.metadata_props[:], model.graph.value_info[:]
    model.opset_import.extend(standard)
    model.producer_name, model.producer_version = "tumorscope", ""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@contextlib.contextmanager
def _calm() -> Iterator[None]:
    """Keep ONNX Runtime's advice about its own tools from standard error."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
