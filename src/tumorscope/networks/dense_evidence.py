"""The dense head as nodes of a model file, with evidence that sums to the logit.

With local logits l at N places, a temperature r and ``w = softmax(r·l)``, the logit is
``bias + s`` with ``bias = −ln N / r`` and ``s = logsumexp(r·l) / r``. Where s is positive, each
place gets its share w of it: ``evidence = w·s``, which is ``w·(l − ln w / r)``, because
``l − ln w / r`` is s at every place. Where s is negative nothing speaks for a tumour, and every
place gets the same, ``s / N``: shares w would give most of it to the most suspicious place. Both
sum to the logit exactly, and no map has both signs. It is computed from the greatest local logit
on, so that no exponential overflows whatever the engine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tumorscope.networks.dense_head import MOST_ACTIVE, POOLING
from tumorscope.networks.onnx_graph import Graph

if TYPE_CHECKING:
    import keras

CONVOLUTIONS = ("head_coarse", "head_fine", "head_local")
"""Names of the head's convolutions in the graph: what other tools must not take for backbone."""


def dense_evidence(model: keras.Model, graph: Graph, finer: str, last: str) -> tuple[str, str]:
    """Add the dense head of a model to a graph.

    Parameters
    ----------
    model : keras.Model
        With the dense head, task "tumour".
    graph : Graph
        Holds the backbone.
    finer, last : str
        Names of the maps that the head takes, (n, channels, h, w).

    Returns
    -------
    tuple of str
        Names of evidence (n, h, w), on the grid of `finer`, and bias (n,).
    """
    maps = [model.get_layer(name).input for name in ("coarse", "fine")]
    (low, narrow), (height, width) = (each.shape[1:3] for each in maps)
    coarse = _convolution(graph, last, model.get_layer("coarse"))
    enlarged = _enlarged(graph, coarse, (low, narrow), (height, width))
    fine = _convolution(graph, finer, model.get_layer("fine"))
    limits = [graph.constant(np.array(limit, np.float32)) for limit in (0.0, MOST_ACTIVE)]
    active = graph.node("Clip", [graph.node("Add", [fine, enlarged]), *limits])
    local = _convolution(graph, active, model.get_layer("local"))
    temperature = float(model.get_layer(POOLING).temperature)
    return evidence_of(graph, local, (height, width), temperature)


def evidence_of(
    graph: Graph, local: str, grid: tuple[int, int], temperature: float
) -> tuple[str, str]:
    """Add evidence and bias of local logits (n, 1, *grid); return their names."""
    height, width = grid
    places = graph.node("Reshape", [local, graph.integers(-1, height * width)])
    most = graph.node("ReduceMax", [places], axes=[1], keepdims=1)
    below = graph.node("Sub", [places, most])
    powers = graph.node("Exp", [graph.node("Mul", [below, graph.numbers(temperature)])])
    total = graph.node("ReduceSum", [powers, graph.integers(1)], keepdims=1)
    weights = graph.node("Div", [powers, total])
    above = graph.node("Mul", [graph.node("Log", [total]), graph.numbers(1.0 / temperature)])
    whole = graph.node("Add", [most, above])
    speaks_for = graph.node("Relu", [whole])
    against = graph.node("Sub", [whole, speaks_for])
    evenly = graph.node("Mul", [against, graph.numbers(1.0 / (height * width))])
    evidence = graph.node("Add", [graph.node("Mul", [weights, speaks_for]), evenly])
    evidence = graph.node("Reshape", [evidence, graph.integers(-1, height, width)])
    return evidence, graph.per_image(evidence, -math.log(height * width) / temperature)


def _enlarged(graph: Graph, value: str, size: tuple[int, int], wanted: tuple[int, int]) -> str:
    """Resize a map (n, channels, *size): bilinear, half-pixel centres, as Keras resizes."""
    # A size is the scale times the former one, rounded down: so no scale may fall short.
    pairs = zip(size, wanted, strict=True)
    scales = [b / a * (1.0 if b % a == 0 else 1 + 2**-22) for a, b in pairs]
    return graph.node(
        "Resize",
        [value, "", graph.numbers(1.0, 1.0, *scales)],
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _convolution(graph: Graph, source: str, layer: keras.Layer) -> str:
    kernel, *bias = (np.asarray(values) for values in layer.get_weights())
    inputs = [source, *map(graph.constant, (kernel.transpose(3, 2, 0, 1), *bias))]
    return graph.node("Conv", inputs, auto_pad="VALID", name=f"head_{layer.name}")
