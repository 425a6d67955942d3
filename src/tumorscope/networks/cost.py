"""What a network costs: multiply-accumulates, counted from its graph or from its layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def macs(graph: bytes, *, size: int) -> int:
    """Count the multiply-accumulates of one image: convolutions and matrix products.

    Parameters
    ----------
    graph : bytes
        Serialised ONNX model with input ``pixels`` uint8 [n, size, size].
    size : int
        Edge of the input.

    Returns
    -------
    int
        Multiply-accumulates; other operators are not counted, as is usual.
    """
    import onnx
    from onnx import shape_inference

    model = onnx.load_from_string(graph)
    for axis, length in enumerate((1, size, size)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = length
    # Shapes that were noted for any number of images would not be inferred again.
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(model, data_prop=True)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            kernel, made = shapes[node.input[1]], shapes[node.output[0]]
            # A kernel of a grouped convolution holds the channels of its own group only.
            total += math.prod(made) * math.prod(kernel[1:])
        elif node.op_type == "MatMul":
            total += math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return total


def layer_macs(model: keras.Model) -> int:
    """Count the multiply-accumulates of one image from the layers of a Keras model.

    Parameters
    ----------
    model : keras.Model
        Functional or Sequential, built for images of one size; models inside it are counted too.

    Returns
    -------
    int
        Of convolutions and dense layers; others are not counted, as is usual. The three channels
        of the input are three, although a model file sums the first kernel over them.
    """
    import keras

    layers = keras.layers
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += layer_macs(layer)
        elif isinstance(layer, layers.DepthwiseConv2D):
            _, height, width, _ = layer.output.shape
            total += height * width * math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.Conv2D):
            # A kernel of a grouped convolution holds the channels of its own group only.
            total += math.prod(layer.output.shape[1:]) * math.prod(layer.kernel.shape[:-1])
        elif isinstance(layer, layers.Dense):
            total += math.prod(layer.output.shape[1:]) * layer.kernel.shape[0]
    return int(total)
