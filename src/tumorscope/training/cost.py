"""What a network costs: multiply-accumulates, counted from its graph."""

from __future__ import annotations

import math


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
    # Shapes that were noted for any number of images would not be inferred anew.
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
