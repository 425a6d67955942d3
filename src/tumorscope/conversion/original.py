"""What a model file converts from: its graph with every weight in float32.

A file in 8 or 16 bits whose arithmetic is float32 only stores its weights so: once these are
restored, it computes the same to the last bit, and converts like any other. One that computes in
integers has lost what its activations were rounded from. The metadata call both "int8", so the
graph is asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.conversion.storage import restore
from tumorscope.model_file.onnx_file import ModelFile

if TYPE_CHECKING:
    import onnx

IN_INTEGERS = frozenset(
    {
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "ConvInteger",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
    }
)
"""Operators of graphs that round activations."""


def original_of(model: ModelFile) -> ModelFile:
    """Return a model file with its weights in float32, whatever they are stored in.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.onnx_file.read_model`.

    Returns
    -------
    ModelFile
        `model` itself where its precision is float32. Otherwise the same path, metadata and id, so
        that what is made of it names the file that it was made of; but precision float32, and a
        graph that computes the same from float32 weights.

    Raises
    ------
    InputError
        If its arithmetic is not float32.
    MissingExtraError
        If weights have to be restored, and the package ``onnx`` is not installed.
    """
    if model.metadata.precision == "float32":
        return model
    graph = _checked(model)
    restore(graph)
    del graph.metadata_props[:]
    metadata = model.metadata.model_copy(update={"precision": "float32"})
    return replace(model, graph=bytes(graph.SerializeToString()), metadata=metadata)


def check_original(model: ModelFile) -> None:
    """Refuse a model from which nothing can be converted; see `original_of`.

    Raises
    ------
    InputError
        If its arithmetic is not float32.
    MissingExtraError
        As `original_of` does.
    """
    if model.metadata.precision != "float32":
        _checked(model)


def _checked(model: ModelFile) -> onnx.ModelProto:
    require("train", to="restore the weights of a model in 8 or 16 bits", only=("onnx",))
    import onnx

    graph = onnx.load_from_string(model.graph)
    if any(node.op_type in IN_INTEGERS for node in graph.graph.node):
        raise InputError(
            f"{model.path} computes in 8-bit integers. Expected a model that computes in float32, "
            "whatever its weights are stored in, because what is lost in a conversion cannot be "
            "had back. Export from the original, or from the run that it was made of."
        )
    return graph
