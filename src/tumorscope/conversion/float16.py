"""A model file's graph → the same with weights stored in 16 bits: half the size, as fast."""

from __future__ import annotations

from tumorscope.conversion.storage import store_float16


def to_float16(graph: bytes) -> bytes:
    """Store the weights of a graph as float16; it is computed in float32 all the same.

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
