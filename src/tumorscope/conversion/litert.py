"""A model file's graph → TensorFlow Lite, operator by operator.

The graph is our own, so only the operators that `tumorscope.networks.model_graph` and the 8-bit
formats write are known. Pictures are NCHW in ONNX and NHWC in TensorFlow Lite: values that a
convolution made are kept as NHWC, and turned only where an operator looks at the order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.files import atomic_path
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import seal_litert
from tumorscope.model_file.schema import OUTPUTS, Metadata, Precision
from tumorscope.networks.backend import load_keras

if TYPE_CHECKING:
    import onnx

NCHW_OF_NHWC = (0, 3, 1, 2)


def write_litert(
    model: ModelFile, path: Path, *, graph: bytes | None = None, precision: Precision = "float32"
) -> Metadata:
    """Convert a model file.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.onnx_file.read_model`.
    path : Path
        Of the .tflite.
    graph : bytes, optional
        Another graph in its place, as `tumorscope.conversion.int8` makes: its quantised
        parts become quantised parts.
    precision : {"float32", "int8"}
        With "int8", weights that the graph leaves in float are stored in 8 bits too.

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

    proto = onnx.load_from_string(graph or model.graph)
    size = model.metadata.preprocessing.size
    module = tf.Module()
    module.run = tf.function(
        lambda pixels: _Translation(proto).outputs(pixels),
        input_signature=[tf.TensorSpec((1, size, size), tf.uint8, name="pixels")],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.run.get_concrete_function()], module
    )
    if precision == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    sealed, metadata = seal_litert(
        converter.convert(), model.metadata.model_copy(update={"precision": precision})
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(sealed)
    return metadata


class _Translation:
    """One pass over an ONNX graph; values by name, constants as numpy arrays."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        import tensorflow as tf
        from onnx import helper, numpy_helper

        self._tf: Any = tf
        self._nodes = [
            (
                node.op_type,
                list(node.input),
                list(node.output),
                {each.name: helper.get_attribute_value(each) for each in node.attribute},
            )
            for node in proto.graph.node
        ]
        self._values: dict[str, Any] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer
        }
        self._pictures: set[str] = set()
        """Names of values that are NHWC here and NCHW in the graph."""
        self._scales: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        """Smallest and largest value of constants that were stored in 8 bits."""

    def outputs(self, pixels: Any) -> dict[str, Any]:
        """Compute the outputs for a tensor of uint8 (1, size, size).

        The method for an operator is called as it is, in small letters; it takes the names of the
        node's inputs and of its output.
        """
        self._values["pixels"] = pixels
        for operator, inputs, outputs, attributes in self._nodes:
            method: Callable[..., Any] | None = getattr(self, f"_{operator.lower()}", None)
            if method is None:
                raise InputError(
                    f"The graph has the operator {operator}, which cannot be written as TensorFlow "
                    "Lite. Expected a model that `tumorscope train` made. Use onnx or openvino."
                )
            self._values[outputs[0]] = method(inputs, outputs[0], **attributes)
        return {name: self._tf.identity(self._values[name], name=name) for name in OUTPUTS}

    def _constant(self, name: str) -> NDArray[np.float32]:
        value = self._values[name]
        assert isinstance(value, np.ndarray)
        return value

    def _elementwise(
        self, function: Callable[[Any, Any], Any], inputs: list[str], output: str
    ) -> Any:
        first, second = (self._values[name] for name in inputs)
        if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
            return np.asarray(function(first, second))
        if any(name in self._pictures for name in inputs):
            self._pictures.add(output)
            first, second = (
                np.transpose(value, (0, 2, 3, 1))
                if isinstance(value, np.ndarray) and value.ndim == 4
                else value
                for value in (first, second)
            )
        return function(first, second)

    def _plain(self, name: str) -> Any:
        """Return a value in the graph's own order."""
        value = self._values[name]
        return self._tf.transpose(value, NCHW_OF_NHWC) if name in self._pictures else value

    def _cast(self, inputs: list[str], _: str, *, to: int) -> Any:
        from onnx import helper

        kind = helper.tensor_dtype_to_np_dtype(to)
        value = self._values[inputs[0]]
        if isinstance(value, np.ndarray):
            return value.astype(kind)
        return self._tf.cast(value, self._tf.as_dtype(kind))

    def _add(self, inputs: list[str], output: str) -> Any:
        return self._elementwise(lambda a, b: a + b, inputs, output)

    def _sub(self, inputs: list[str], output: str) -> Any:
        return self._elementwise(lambda a, b: a - b, inputs, output)

    def _mul(self, inputs: list[str], output: str) -> Any:
        return self._elementwise(lambda a, b: a * b, inputs, output)

    def _div(self, inputs: list[str], output: str) -> Any:
        return self._elementwise(lambda a, b: a / b, inputs, output)

    def _max(self, inputs: list[str], output: str) -> Any:
        return self._elementwise(self._tf.maximum, inputs, output)

    def _greater(self, inputs: list[str], output: str) -> Any:
        return self._elementwise(self._tf.greater, inputs, output)

    def _same(self, inputs: list[str], output: str) -> Any:
        if inputs[0] in self._pictures:
            self._pictures.add(output)
        return self._values[inputs[0]]

    def _identity(self, inputs: list[str], output: str) -> Any:
        return self._same(inputs, output)

    def _sqrt(self, inputs: list[str], output: str) -> Any:
        return self._tf.sqrt(self._same(inputs, output))

    def _relu(self, inputs: list[str], output: str) -> Any:
        return self._tf.nn.relu(self._same(inputs, output))

    def _sigmoid(self, inputs: list[str], output: str) -> Any:
        return self._tf.sigmoid(self._same(inputs, output))

    def _clip(self, inputs: list[str], output: str) -> Any:
        value = self._same(inputs, output)
        low, high = (self._constant(name).item() for name in inputs[1:])
        if (low, high) == (0.0, 6.0):
            return self._tf.nn.relu6(value)  # which the converter fuses with the convolution
        return self._tf.clip_by_value(value, low, high)

    def _unsqueeze(self, inputs: list[str], output: str) -> Any:
        (axis,) = self._constant(inputs[1]).tolist()
        value = self._values[inputs[0]]
        if axis == 1 and len(value.shape) == 3:  # pictures get their channel
            self._pictures.add(output)
            return self._tf.expand_dims(value, -1)
        return self._tf.expand_dims(value, axis)

    def _squeeze(self, inputs: list[str], _: str) -> Any:
        return self._tf.squeeze(self._plain(inputs[0]), self._constant(inputs[1]).tolist())

    def _reshape(self, inputs: list[str], _: str) -> Any:
        return self._tf.reshape(self._plain(inputs[0]), self._constant(inputs[1]).tolist())

    def _transpose(self, inputs: list[str], _: str, *, perm: list[int]) -> Any:
        return self._tf.transpose(self._plain(inputs[0]), perm)

    def _matmul(self, inputs: list[str], _: str) -> Any:
        return self._tf.matmul(self._values[inputs[0]], self._values[inputs[1]])

    def _reducesum(self, inputs: list[str], _: str, *, keepdims: int = 1) -> Any:
        axes = self._constant(inputs[1]).tolist()
        return self._tf.reduce_sum(self._plain(inputs[0]), axes, keepdims=bool(keepdims))

    def _reducemean(self, inputs: list[str], _: str, *, axes: list[int], keepdims: int = 1) -> Any:
        return self._tf.reduce_mean(self._plain(inputs[0]), axes, keepdims=bool(keepdims))

    def _globalaveragepool(self, inputs: list[str], output: str) -> Any:
        self._pictures.add(output)
        return self._tf.reduce_mean(self._values[inputs[0]], (1, 2), keepdims=True)

    def _conv(
        self,
        inputs: list[str],
        output: str,
        *,
        strides: tuple[int, ...] = (1, 1),
        group: int = 1,
        pads: tuple[int, ...] = (0, 0, 0, 0),
        auto_pad: bytes = b"NOTSET",
        **_: object,
    ) -> Any:
        tf = self._tf
        picture = self._values[inputs[0]]
        kernel = np.transpose(self._constant(inputs[1]), (2, 3, 1, 0))
        per_channel = inputs[1] in self._scales
        self._pictures.add(output)
        padding = "SAME" if auto_pad == b"SAME_UPPER" else "VALID"
        if padding == "VALID" and any(pads):
            top, left, bottom, right = pads
            picture = tf.pad(picture, [[0, 0], [top, bottom], [left, right], [0, 0]])
        depthwise = group > 1
        if depthwise:  # (h, w, 1, c) → (h, w, c, 1)
            kernel = np.swapaxes(kernel, 2, 3)
        weights = self._fake(kernel, inputs[1], depthwise) if per_channel else kernel
        if depthwise:
            made = tf.nn.depthwise_conv2d(picture, weights, (1, *strides, 1), padding)
        else:
            made = tf.nn.conv2d(picture, weights, list(strides), padding)
        return made + self._constant(inputs[2]) if len(inputs) > 2 else made

    def _fake(self, kernel: NDArray[np.float32], name: str, depthwise: bool) -> Any:
        """Mark a kernel as quantised, so that the converter computes it in integers."""
        quantise = self._tf.quantization
        low, high = self._scales[name]
        if low.size == 1:
            return quantise.fake_quant_with_min_max_vars(
                kernel, low.item(), high.item(), num_bits=8, narrow_range=True
            )
        if not depthwise:
            return quantise.fake_quant_with_min_max_vars_per_channel(
                kernel, low, high, num_bits=8, narrow_range=True
            )
        # The last axis is the one with scales, and a depthwise kernel's has length one.
        height, width, channels, _ = kernel.shape
        flat = kernel.reshape(height, width, 1, channels)
        marked = quantise.fake_quant_with_min_max_vars_per_channel(
            flat, low, high, num_bits=8, narrow_range=True
        )
        return self._tf.reshape(marked, kernel.shape)

    def _quantizelinear(self, inputs: list[str], output: str, **_: object) -> Any:
        scale, zero = (self._constant(name).item() for name in inputs[1:3])
        return self._tf.quantization.fake_quant_with_min_max_args(
            self._same(inputs, output),
            min=(0.0 - zero) * scale,
            max=(255.0 - zero) * scale,
            num_bits=8,
        )

    def _dequantizelinear(self, inputs: list[str], output: str, *, axis: int = 1) -> Any:
        value = self._values[inputs[0]]
        if not isinstance(value, np.ndarray):
            return self._same(inputs, output)
        scale = self._constant(inputs[1]).astype(np.float32)
        if value.dtype == np.int8:
            self._scales[output] = (np.ravel(-127 * scale), np.ravel(127 * scale))
        if scale.ndim:
            scale = scale.reshape([-1 if each == axis else 1 for each in range(value.ndim)])
        return value.astype(np.float32) * scale
