"""A model file's graph → 8-bit integers, in several ways, the fastest first.

Only the backbone is quantised. The head, evidence, calibration and input check stay float32, and
so the evidence still sums to the logit.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.conversion.bias_correction import correct_biases
from tumorscope.conversion.storage import store_float16, store_int8
from tumorscope.networks.dense_evidence import CONVOLUTIONS

if TYPE_CHECKING:
    import onnx

QUANTISED = ("Conv", "Add", "Sum", "Clip", "Relu")
HEAD_CHANNELS = 8
"""Convolutions with at most as many output channels and no convolution after them are evidence;
those of the dense head are known by their names."""

WEIGHTS_ONLY = {
    "weights only": 1024,
    "weights of the largest layers only": 100_000,
    "weights of the very largest layers only": 200_000,
}
"""Name of a way → the smallest array, in numbers, that is stored in 8 bits.

The largest layers are the last ones, whose rounding matters least, because no later layer amplifies
it. In MobileNetV2 the second way rounds two thirds of all weights, the third a third: two layers.
"""

Way = tuple[str, Callable[[], bytes]]
"""Its name in `parity.json`, and what makes the graph."""


def ways(graph: bytes, pixels: NDArray[np.uint8]) -> Iterator[Way]:
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
    _quantisable(_load(graph))
    yield "per-channel", lambda: quantise(graph, pixels)
    for name, smallest in WEIGHTS_ONLY.items():
        yield name, partial(weights_only, graph, smallest=smallest)


def quantise(graph: bytes, pixels: NDArray[np.uint8]) -> bytes:
    """Quantise weights and activations of the backbone (ONNX Runtime, static, QDQ, U8S8).

    Biases give back what rounding the kernels adds to the means of maps; see
    `tumorscope.conversion.bias_correction`. Ranges of activations are the least and greatest value
    on the images. A network that was trained to bear this rounding (``[quantised]`` of its recipe,
    `tumorscope.networks.fake_quantised`) decides more nearly the same.

    Every output channel of a kernel has a scale of its own: with one for the whole kernel, the
    features of MobileNetV2 keep little of their direction.

    Parameters
    ----------
    graph : bytes
        As for `ways`.
    pixels : ndarray of uint8, shape (n, size, size)
        Images to calibrate on.

    Raises
    ------
    InputError
        As `ways` does.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = _load(graph)
    nodes = _quantisable(model)
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
            nodes_to_quantize=nodes,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        made = onnx.load(path)
    # Not `model`, whose weights the call above has moved into a file that is gone.
    correct_biases(made, _load(graph), pixels)
    store_int8(made)
    store_float16(made, keep=_scales(made))
    return _finish(made)


def weights_only(graph: bytes, *, smallest: int) -> bytes:
    """Store the weights as int8, and compute in float32: small, not faster.

    Parameters
    ----------
    graph : bytes
        As for `ways`.
    smallest : int
        Arrays of fewer numbers are stored as float16.
    """
    model = _load(graph)
    store_int8(model, smallest=smallest)
    store_float16(model, keep=_scales(model))
    return _finish(model)


def _quantisable(model: onnx.ModelProto) -> list[str]:
    """Return the names of `backbone_nodes`, of which there must be some."""
    nodes = backbone_nodes(model)
    if not nodes:
        raise InputError(
            "The model has no convolutions whose weights could be stored in 8 bits. Expected a "
            "convolutional network. Export it as onnx-f16."
        )
    return nodes


def backbone_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes to quantise, in order.

    These lie between the first convolution and the last one that makes features, and beyond it
    the activations of either: our graphs stand in the order of computation, and the head is last.
    """
    sizes = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    nodes = list(model.graph.node)
    wide = [
        place
        for place, node in enumerate(nodes)
        if node.op_type == "Conv"
        and node.name not in CONVOLUTIONS
        and sizes.get(node.input[1], 0) > HEAD_CHANNELS
    ]
    if not wide:
        return []
    body, rest = nodes[wide[0] : wide[-1] + 1], nodes[wide[-1] + 1 :]
    made = {output for node in body for output in node.output}
    body += [node for node in rest if node.op_type in ("Clip", "Relu") and node.input[0] in made]
    return [node.name for node in body if node.op_type in QUANTISED]


def _load(graph: bytes) -> onnx.ModelProto:
    import onnx

    model = onnx.load_from_string(graph)
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    return model


def _scales(model: onnx.ModelProto) -> set[str]:
    linear = ("QuantizeLinear", "DequantizeLinear")
    return {name for node in model.graph.node if node.op_type in linear for name in node.input}


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
