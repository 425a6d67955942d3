"""The weights of a graph as it computes with them, whatever they are stored in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx


def constants_of(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    """Return every array of a graph that depends on no input, by the name of its value.

    Parameters
    ----------
    graph : onnx.GraphProto
        Weights in 8 or 16 bits are restored by ``Cast``, ``Mul`` and ``DequantizeLinear``, the last
        with a scale for each output channel, which comes first.

    Returns
    -------
    dict of str to ndarray
        What is stored, and what these operators make of it.

    Examples
    --------
    >>> import onnx
    >>> stored = onnx.numpy_helper.from_array(np.array([1, 2], np.float16), "stored")
    >>> cast = onnx.helper.make_node("Cast", ["stored"], ["whole"], to=onnx.TensorProto.FLOAT)
    >>> graph = onnx.helper.make_graph([cast], "weights", [], [], initializer=[stored])
    >>> constants_of(graph)["whole"]
    array([1., 2.], dtype=float32)
    """
    from onnx import helper, numpy_helper

    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if not node.input or not all(name in arrays for name in node.input):
            continue
        values, *others = (arrays[name] for name in node.input)
        if node.op_type == "Cast":
            kind = helper.get_attribute_value(node.attribute[0])
            arrays[node.output[0]] = values.astype(helper.tensor_dtype_to_np_dtype(kind))
        elif node.op_type == "Mul":
            arrays[node.output[0]] = values * others[0]
        elif node.op_type == "DequantizeLinear":
            scale, zero = (_by_channel(each, values.ndim) for each in others)
            arrays[node.output[0]] = ((values - zero) * scale).astype(np.float32)
    return arrays


def _by_channel(numbers: NDArray[Any], ndim: int) -> NDArray[np.float32]:
    """Return one number, or those of output channels, as they multiply an array."""
    shaped = numbers.astype(np.float32)
    return shaped.reshape(-1, *[1] * (ndim - 1)) if shaped.ndim else shaped
