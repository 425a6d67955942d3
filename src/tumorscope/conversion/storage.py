"""Weights stored in fewer bits than they are computed in; the standard operators restore them.

ONNX Runtime computes constants once, on load, so that such a file is small on disk and as fast as
the original. `Cast` and `Mul` are used instead of `DequantizeLinear` for that reason: ONNX Runtime
keeps the latter in the graph, in the hope of a quantised operator after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.networks.stored_weights import constants_of

if TYPE_CHECKING:
    import onnx

SMALL = 256
"""Arrays of fewer numbers stay as they are: they are too small to matter."""

LARGE = 65_536
"""Arrays of at least as many numbers are stored in 8 bits where a model is made of 8 bits."""

Packed = tuple[list[Any], list[Any]]


def to_float16(graph: bytes) -> bytes:
    """Store the weights of a graph as float16: half the size, computed in float32 all the same.

    Parameters
    ----------
    graph : bytes
        Serialised ONNX model of float32.

    Returns
    -------
    bytes
        Serialised ONNX model.
    """
    import onnx

    model = onnx.load_from_string(graph)
    store_float16(model)
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def store_float16(model: onnx.ModelProto, *, keep: Collection[str] = ()) -> None:
    """Store float32 weights as float16, in place, each behind a `Cast` to float32.

    Parameters
    ----------
    model : onnx.ModelProto
        Changed in place.
    keep : collection of str
        Initialisers that stay. Those with a value beyond float16's range (±65,504) stay too.
    """

    def pack(name: str, values: NDArray[np.float32]) -> Packed | None:
        from onnx import TensorProto, helper, numpy_helper

        if values.size < SMALL or name in keep or np.abs(values).max() > np.finfo(np.float16).max:
            return None
        stored = numpy_helper.from_array(values.astype(np.float16), f"{name}_f16")
        node = helper.make_node(
            "Cast", [stored.name], [name], name=f"{name}_restore", to=TensorProto.FLOAT
        )
        return [stored], [node]

    _repack(model, pack)


def store_int8(model: onnx.ModelProto, *, smallest: int = LARGE) -> None:
    """Store float32 weights as int8 with one scale per output channel, in place.

    Activations stay float32, so this harms a network less than quantising both.

    Parameters
    ----------
    model : onnx.ModelProto
        Changed in place.
    smallest : int
        Initialisers of fewer numbers stay.
    """
    convolved = {
        node.input[1] for node in model.graph.node if node.op_type == "Conv" and len(node.input) > 1
    }

    def pack(name: str, values: NDArray[np.float32]) -> Packed | None:
        from onnx import TensorProto, helper, numpy_helper

        if values.size < smallest or values.ndim < 2:
            return None
        axis = 0 if name in convolved else values.ndim - 1
        others = tuple(each for each in range(values.ndim) if each != axis)
        largest = np.abs(values).max(axis=others, keepdims=True)
        scale = (np.where(largest > 0, largest, 1.0) / 127).astype(np.float32)
        whole = np.rint(values / scale).astype(np.int8)
        stored = [
            numpy_helper.from_array(whole, f"{name}_i8"),
            numpy_helper.from_array(scale, f"{name}_scale"),
        ]
        nodes = [
            helper.make_node(
                "Cast",
                [f"{name}_i8"],
                [f"{name}_whole"],
                name=f"{name}_cast",
                to=TensorProto.FLOAT,
            ),
            helper.make_node(
                "Mul", [f"{name}_whole", f"{name}_scale"], [name], name=f"{name}_restore"
            ),
        ]
        return stored, nodes

    _repack(model, pack)


def restore(model: onnx.ModelProto) -> None:
    """Make float32 initialisers of stored weights and of what restores them, in place.

    Parameters
    ----------
    model : onnx.ModelProto
        Whose weights `store_float16` or `store_int8` may have stored.
    """
    from onnx import numpy_helper

    graph = model.graph
    stored = {each.name: each for each in graph.initializer}
    arrays = constants_of(graph)
    nodes = [node for node in graph.node if node.output[0] not in arrays]
    used = {name for node in nodes for name in node.input}
    kept = [
        stored[name] if name in stored else numpy_helper.from_array(values, name)
        for name, values in arrays.items()
        if name in used
    ]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _repack(
    model: onnx.ModelProto, pack: Callable[[str, NDArray[np.float32]], Packed | None]
) -> None:
    from onnx import TensorProto, numpy_helper

    kept, nodes = [], []
    for tensor in model.graph.initializer:
        packed = None
        if tensor.data_type == TensorProto.FLOAT:
            packed = pack(tensor.name, numpy_helper.to_array(tensor))
        if packed is None:
            kept.append(tensor)
        else:
            kept.extend(packed[0])
            nodes.extend(packed[1])
    nodes.extend(model.graph.node)  # constants first: nodes stand in order of use
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
