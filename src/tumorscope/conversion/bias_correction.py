"""What rounding a kernel adds to the mean of its outputs, taken off its bias.

Activations behind a ReLU are positive, so that the errors of a kernel's few weights do not average
out over places: they shift the whole map, most of all where a kernel has nine weights, as those by
channel do (Nagel et al. 2019, arXiv:1906.04721). The shift is linear in the error, and so one pass
of the unrounded network over some images tells it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx


def correct_biases(
    quantised: onnx.ModelProto, original: onnx.ModelProto, pixels: NDArray[np.uint8]
) -> None:
    """Lower biases by what rounding their kernels to 8 bits adds, in place.

    Parameters
    ----------
    quantised : onnx.ModelProto
        With ``DequantizeLinear`` before kernels and biases; changed in place.
    original : onnx.ModelProto
        That it was made from, with the same names of nodes.
    pixels : ndarray of uint8, shape (n, size, size)
        Images to measure on.
    """
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in quantised.graph.initializer}
    restoring = {
        node.output[0]: node
        for node in quantised.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in stored
    }
    biases = {
        node.name: restoring[node.input[2]]
        for node in quantised.graph.node
        if node.op_type == "Conv" and len(node.input) > 2 and node.input[2] in restoring
    }
    for name, shift in _mean_shifts(original, pixels, biases).items():
        whole, scale = (stored[each] for each in biases[name].input[:2])
        steps = np.rint(shift / numpy_helper.to_array(scale))
        lower = numpy_helper.to_array(whole) - steps.astype(np.int32)
        whole.CopyFrom(numpy_helper.from_array(lower, whole.name))


def rounding_error(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what symmetric rounding to 8 bits, with a scale for each row, adds to a kernel.

    Examples
    --------
    >>> rounding_error(np.array([[127.0, 0.5], [254.0, 0.75]], np.float32)).tolist()
    [[0.0, -0.5], [0.0, -0.75]]
    """
    axes = tuple(range(1, kernel.ndim))
    most = np.abs(kernel).max(axis=axes, keepdims=True)
    scale = np.where(most > 0, most, 1.0).astype(np.float32) / 127
    return (np.rint(kernel / scale) * scale - kernel).astype(np.float32)


def _mean_shifts(
    model: onnx.ModelProto, pixels: NDArray[np.uint8], names: Collection[str]
) -> dict[str, NDArray[np.float64]]:
    """Return what rounding the kernels of nodes adds to each channel of what they make.

    The mean over images and places, of the unrounded network.
    """
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    graph = probe.graph
    kernels = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    chosen = [node for node in graph.node if node.name in names]
    del graph.output[:]
    for node in chosen:
        name = f"{node.name}_error"
        error = rounding_error(kernels[node.input[1]])
        graph.initializer.append(numpy_helper.from_array(error, name))
        made = helper.make_node("Conv", [node.input[0], name], [f"{name}_map"], name=name)
        made.attribute.extend(node.attribute)
        pooled = helper.make_node("GlobalAveragePool", [f"{name}_map"], [f"{name}_mean"])
        graph.node.extend((made, pooled))
        number = onnx.TensorProto.FLOAT
        graph.output.append(helper.make_tensor_value_info(f"{name}_mean", number, None))
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    sums = [np.zeros(1)] * len(chosen)
    for start in range(0, len(pixels), 8):
        means = session.run(None, {"pixels": pixels[start : start + 8]})
        sums = [total + each.sum(axis=(0, 2, 3)) for total, each in zip(sums, means, strict=True)]
    return {node.name: total / len(pixels) for node, total in zip(chosen, sums, strict=True)}
