"""Weights of a TensorFlow Lite model in 16 bits, each behind the operator that restores it.

TensorFlow's own converter puts every constant in 16 bits, also those of the input check, which go
beyond the range of float16: the distance of every image becomes nonsense. Here the same arrays stay
as in `tumorscope.conversion.storage`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.conversion.storage import SMALL


def with_float16_weights(model: bytes) -> bytes:
    """Store the large float32 constants of a TensorFlow Lite model as float16.

    Parameters
    ----------
    model : bytes
        The flatbuffer, as the converter made it.

    Returns
    -------
    bytes
        The same model, which computes in float32 all the same: engines restore constants on load.
    """
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    code = _code_of(whole, schema)
    for graph in whole.subgraphs:
        stored: dict[int, int] = {}
        for place, tensor in enumerate(list(graph.tensors)):
            values = _constant(whole, tensor, schema)
            if values is not None:
                stored[place] = _store(whole, graph, tensor, values, schema)
        graph.operators = [
            *(_restoring(half, place, code, schema) for place, half in stored.items()),
            *graph.operators,
        ]
    used = {tensor.buffer for graph in whole.subgraphs for tensor in graph.tensors}
    used |= {each.buffer for each in whole.metadata or ()}
    for place, buffer in enumerate(whole.buffers):
        if place not in used:
            buffer.data = None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _constant(whole: Any, tensor: Any, schema: Any) -> NDArray[np.float32] | None:
    """Return the values of a constant that 16 bits can hold; None of any other tensor."""
    data = whole.buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.FLOAT32 or data is None:
        return None
    values = np.asarray(data, dtype=np.uint8).view(np.float32)
    if values.size < SMALL or np.abs(values).max() > np.finfo(np.float16).max:
        return None
    return values


def _store(whole: Any, graph: Any, tensor: Any, values: NDArray[np.float32], schema: Any) -> int:
    """Add a tensor of 16 bits, and take the values from the one of 32; return its place."""
    buffer, half = schema.BufferT(), schema.TensorT()
    buffer.data = values.astype(np.float16).view(np.uint8)
    whole.buffers.append(buffer)
    half.buffer = len(whole.buffers) - 1
    half.shape, half.type, half.name = (
        tensor.shape,
        schema.TensorType.FLOAT16,
        tensor.name + b"_f16",
    )
    graph.tensors.append(half)
    tensor.buffer = 0  # the empty one
    return len(graph.tensors) - 1


def _restoring(half: int, place: int, code: int, schema: Any) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [half], [place]
    return operator


def _code_of(whole: Any, schema: Any) -> int:
    """Return the place of the operator that restores, added where the model has none."""
    kind = schema.BuiltinOperator.DEQUANTIZE
    for place, each in enumerate(whole.operatorCodes):
        if each.builtinCode == kind:
            return place
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 2  # the first that takes float16
    whole.operatorCodes.append(code)
    return len(whole.operatorCodes) - 1
