"""A model file's graph → TensorFlow Lite, operator by operator.

The graph is our own, so only the operators that `tumorscope.networks` writes are known. Pictures
are NCHW in ONNX and NHWC in TensorFlow Lite. Here every value of four dimensions is kept as NHWC,
whatever its axes mean, and turned back only for operators that name an axis; the converter cancels
turns that follow each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.files import atomic_path
from tumorscope.conversion.litert_float16 import with_float16_weights
from tumorscope.conversion.storage import restore
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import seal_litert
from tumorscope.model_file.schema import OUTPUTS, Metadata, Precision
from tumorscope.networks.backend import load_keras

if TYPE_CHECKING:
    import onnx

Operators = Mapping[str, Callable[..., Any]]


def write_litert(model: ModelFile, path: Path, *, precision: Precision = "float32") -> Metadata:
    """Convert a model file.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.onnx_file.read_model`; float32.
    path : Path
        Of the .tflite.
    precision : {"float32", "float16", "int8"}
        With "float16", large weights are stored in 16 bits and computed with in 32. With "int8",
        they are stored in 8 bits; the ranges of activations are found for every image, unless the
        graph says how they are rounded, as that of `tumorscope.conversion.int8.quantise` does: its
        backbone then computes in integers.

    Returns
    -------
    Metadata
        As written.

    Raises
    ------
    MissingExtraError
        If TensorFlow is not installed.
    InputError
        If the graph has operators that it does not know.
    OutputError
        If it cannot be written.
    """
    require("train", "litert", to="export to litert", only=("tensorflow", "onnx"))
    load_keras()  # and TensorFlow with it, quietly
    import onnx
    import tensorflow as tf

    whole = onnx.load_from_string(model.graph)
    restore(whole)
    graph = whole.graph
    size = model.metadata.preprocessing.size
    module = tf.Module()
    module.run = tf.function(
        lambda pixels: _outputs(graph, pixels),
        input_signature=[tf.TensorSpec((1, size, size), tf.uint8, name="pixels")],
        autograph=False,  # which would put its own words around our errors
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.run.get_concrete_function()], module
    )
    if precision == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    made = converter.convert()
    sealed, metadata = seal_litert(
        with_float16_weights(made) if precision == "float16" else made,
        model.metadata.model_copy(update={"precision": precision}),
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(sealed)
    return metadata


def _outputs(graph: onnx.GraphProto, pixels: Any) -> dict[str, Any]:
    """Compute the outputs of a graph for a tensor of uint8 (1, size, size)."""
    import tensorflow as tf
    from onnx import helper, numpy_helper

    values: dict[str, Any] = {"pixels": pixels, "": None}  # inputs that are left out have no name
    for tensor in graph.initializer:
        values[tensor.name] = _kept(numpy_helper.to_array(tensor))
    on_any, on_plain = _on_any_order(), _on_plain()
    for node in graph.node:
        inputs = [values[name] for name in node.input]
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type in on_any:
            made = on_any[node.op_type](*inputs, **attributes)
        elif node.op_type in on_plain:
            plain = [_plain(value) for value in inputs]
            made = _kept(on_plain[node.op_type](*plain, **attributes))
        else:
            raise InputError(
                f"The graph has the operator {node.op_type}, which cannot be written as TensorFlow "
                "Lite. Expected a model that `tumorscope train` made. Use onnx or openvino."
            )
        values[node.output[0]] = made
    return {name: tf.identity(values[name], name=name) for name in OUTPUTS}


def _kept(value: Any) -> Any:
    """Return a value as it is kept here: NHWC if it has four dimensions."""
    return _turned(value, (0, 2, 3, 1))


def _plain(value: Any) -> Any:
    """Return a value in the order of the ONNX graph."""
    return _turned(value, (0, 3, 1, 2))


def _turned(value: Any, order: tuple[int, ...]) -> Any:
    import tensorflow as tf

    if value is None or len(value.shape) != 4:
        return value
    turn = np.transpose if isinstance(value, np.ndarray) else tf.transpose
    return turn(value, order)


def _on_any_order() -> Operators:
    """Return the operators that are indifferent to the order of axes, or mean pictures."""
    import tensorflow as tf

    return {
        "Add": tf.add,
        "Sub": tf.subtract,
        "Mul": tf.multiply,
        "Div": tf.divide,
        "Max": tf.maximum,
        "Greater": tf.greater,
        "Exp": tf.exp,
        "Log": tf.math.log,
        "Sum": lambda *values: tf.add_n(values),
        "Identity": tf.identity,
        "Sqrt": tf.sqrt,
        "Relu": tf.nn.relu,
        "Sigmoid": tf.sigmoid,
        "HardSwish": lambda value: value * tf.nn.relu6(value + 3.0) * (1.0 / 6.0),
        "Clip": _clip,
        "QuantizeLinear": _rounded,
        # What was rounded was restored at once, and constants were before.
        "DequantizeLinear": lambda value, *_, **_options: value,
        "Cast": _cast,
        "Conv": _convolution,
        "Resize": _resize,
        "BatchNormalization": _normalisation,
        "GlobalAveragePool": lambda value: tf.reduce_mean(value, (1, 2), keepdims=True),
        "MaxPool": lambda value, **how: tf.nn.max_pool2d(value, *_window(**how)),
        "AveragePool": lambda value, **how: tf.nn.avg_pool2d(value, *_window(**how)),
    }


def _on_plain() -> Operators:
    """Return the operators that name axes: they take and give values in the graph's order."""
    import tensorflow as tf

    def axes(values: Any) -> list[int]:
        numbers: list[int] = np.asarray(values).tolist()
        return numbers

    return {
        "Concat": lambda *values, axis: tf.concat(values, axis),
        "MatMul": tf.matmul,
        "Pad": lambda value, pads: tf.pad(value, axes(pads.reshape(2, -1).T)),
        "ReduceMax": lambda value, *, axes, keepdims=1: tf.reduce_max(
            value, axes, keepdims=bool(keepdims)
        ),
        "ReduceMean": lambda value, *, axes, keepdims=1: tf.reduce_mean(
            value, axes, keepdims=bool(keepdims)
        ),
        "ReduceSum": lambda value, over, *, keepdims=1: tf.reduce_sum(
            value, axes(over), keepdims=bool(keepdims)
        ),
        "Reshape": lambda value, shape: tf.reshape(value, axes(shape)),
        "Squeeze": lambda value, over: tf.squeeze(value, axes(over)),
        "Transpose": lambda value, *, perm: tf.transpose(value, perm),
        "Unsqueeze": _unsqueeze,
    }


def _unsqueeze(value: Any, over: Any) -> Any:
    import tensorflow as tf

    for axis in np.asarray(over).tolist():
        value = tf.expand_dims(value, axis)
    return value


def _cast(value: Any, *, to: int) -> Any:
    import tensorflow as tf
    from onnx import helper

    kind = helper.tensor_dtype_to_np_dtype(to)
    if isinstance(value, np.ndarray):  # so that the converter sees a constant
        return value.astype(kind)
    return tf.cast(value, tf.as_dtype(kind))


def _clip(value: Any, low: Any, high: Any) -> Any:
    import tensorflow as tf

    if (low.item(), high.item()) == (0.0, 6.0):
        return tf.nn.relu6(value)  # which the converter fuses with the convolution
    return tf.clip_by_value(value, low.item(), high.item())


def _rounded(value: Any, scale: Any, zero: Any) -> Any:
    """Round to the values of a byte; the converter makes integers of what lies between two such."""
    import tensorflow as tf

    low, high = ((limit - int(zero)) * float(scale) for limit in (0, 255))
    return tf.quantization.fake_quant_with_min_max_args(value, low, high)


def _resize(
    picture: Any, _: Any, scales: Any, *, mode: bytes, coordinate_transformation_mode: bytes
) -> Any:
    """Resize as `tumorscope.networks.dense_evidence` means it."""
    import tensorflow as tf

    if (mode, coordinate_transformation_mode) != (b"linear", b"half_pixel"):
        raise InputError(
            f"The graph resizes by {mode.decode()}, {coordinate_transformation_mode.decode()}, "
            "which cannot be written as TensorFlow Lite. Expected linear, half_pixel, as "
            "`tumorscope train` writes it. Use onnx or openvino."
        )
    size = [int(edge * scale) for edge, scale in zip(picture.shape[1:3], scales[2:], strict=True)]
    return tf.image.resize(picture, size, "bilinear")  # half-pixel centres in TensorFlow 2


def _window(
    *, kernel_shape: list[int], strides: list[int], auto_pad: bytes
) -> tuple[list[int], list[int], str]:
    return kernel_shape, strides, "SAME" if auto_pad == b"SAME_UPPER" else "VALID"


def _normalisation(
    value: Any, gamma: Any, beta: Any, mean: Any, variance: Any, *, epsilon: float
) -> Any:
    factor = (gamma.astype(np.float64) / np.sqrt(variance + epsilon)).astype(np.float32)
    return value * factor + (beta - mean * factor)


def _convolution(
    picture: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: tuple[int, ...] = (1, 1),
    group: int = 1,
    dilations: tuple[int, ...] = (1, 1),
    pads: tuple[int, ...] = (0, 0, 0, 0),
    auto_pad: bytes = b"NOTSET",
) -> Any:
    """Convolve; the kernel is kept as (out, h, w, in / group)."""
    import tensorflow as tf

    padding = "SAME" if auto_pad == b"SAME_UPPER" else "VALID"
    if padding == "VALID" and any(pads):
        top, left, bottom, right = pads
        picture = tf.pad(picture, [[0, 0], [top, bottom], [left, right], [0, 0]])
    steps, spread = (1, *strides, 1), list(dilations)
    if group > 1 and kernel.shape[3] == 1:
        weights = kernel.transpose(1, 2, 0, 3).reshape(*kernel.shape[1:3], group, -1)
        made = tf.nn.depthwise_conv2d(picture, weights, steps, padding, dilations=spread)
    else:
        weights = kernel.transpose(1, 2, 3, 0)
        made = tf.nn.conv2d(picture, weights, steps, padding, dilations=spread)
    return made if bias is None else made + bias
