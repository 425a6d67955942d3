"""A fitted Keras model → the graph of a model file.

One forward pass gives the probability and why: with a head that is linear over places (or
piecewise linear, as behind a ReLU) the logit is a sum over places, ``logit = bias + Σ evidence``;
with the dense head it is too, see `tumorscope.networks.dense_evidence`. Behind a ReLU the sum is
linearised at the input, which is HiResCAM (Draelos & Carin 2020, arXiv:2011.08891); unlike Grad-CAM
it needs no gradients and leaves nothing out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tumorscope.common.errors import InputError
from tumorscope.model_file.schema import OUTPUTS
from tumorscope.networks.body import backbone_of, input_check_features, taps_of
from tumorscope.networks.dense_evidence import dense_evidence
from tumorscope.networks.input_check_features import FeatureSpace
from tumorscope.networks.onnx_graph import Graph, UnsupportedLayerError, walk
from tumorscope.networks.scaling import SCALINGS
from tumorscope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import onnx


def model_graph(
    model: keras.Model,
    recipe: Recipe,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    space: FeatureSpace | None = None,
) -> onnx.ModelProto:
    """Translate a fitted model into the graph of a model file.

    Parameters
    ----------
    model : keras.Model
        As made by `tumorscope.networks.network.build`.
    recipe : Recipe
        That it was built from.
    slope, intercept : float
        Calibration: ``probability = sigmoid(slope · logit + intercept)``.
    space : FeatureSpace, optional
        For ``distance``, which is 0 without; of `tumorscope.networks.body.input_check_features`,
        averaged over places.

    Returns
    -------
    onnx.ModelProto
        Input ``pixels`` uint8 (n, size, size), grey, prepared; outputs float32 ``probability``
        (n,), ``logit`` (n,) before calibration, ``evidence`` (n, h, w), ``bias`` (n,) and
        ``distance`` (n,), with ``evidence.sum((1, 2)) + bias = logit``.

    Raises
    ------
    InputError
        If the backbone has layers that have no translation.
    """
    graph = Graph()
    features, checked = _backbone(backbone_of(model), graph, recipe)
    height, width = taps_of(model)[0].shape[1:3]
    grid = int(height), int(width)
    if recipe.network.head == "dense":
        # What the input check looks at is the finer map that the head takes.
        evidence, bias = dense_evidence(model, graph, checked, features)
    else:
        head = _pooled if recipe.network.head == "pooled" else _flatten
        evidence, bias = head(model, graph, features, grid)
    total = graph.node("ReduceSum", [evidence, graph.integers(1, 2)], keepdims=0)
    logit = graph.node("Add", [total, bias])
    scaled = graph.node("Mul", [logit, graph.numbers(slope)])
    shifted = graph.node("Add", [scaled, graph.numbers(intercept)])
    graph.output("probability", graph.node("Sigmoid", [shifted]))
    graph.output("logit", logit)
    graph.output("evidence", evidence)
    graph.output("bias", bias)
    graph.output("distance", _distance(graph, checked, logit, space))
    shapes = [(name, grid if name == "evidence" else ()) for name in OUTPUTS]
    return graph.model("tumorscope", (recipe.input.size, recipe.input.size), shapes)


def _backbone(backbone: keras.Model, graph: Graph, recipe: Recipe) -> tuple[str, str]:
    """Add the backbone; return its last features and those that the input check looks at."""
    scale, offset = SCALINGS[recipe.input.scaling]
    taps = [backbone.output, input_check_features(backbone)]
    try:
        features, checked = walk(backbone, graph, taps=taps, scale=scale, offset=offset)
    except UnsupportedLayerError as error:
        raise InputError(
            f"The backbone {recipe.network.backbone} cannot be exported: {error} has no "
            "translation to ONNX. Expected layers as MobileNetV2 has them."
        ) from error
    return features, checked


def _pooled(
    model: keras.Model, graph: Graph, features: str, grid: tuple[int, int]
) -> tuple[str, str]:
    kernel, bias = (np.asarray(values) for values in model.layers[-1].get_weights())
    share = (kernel.T / (grid[0] * grid[1])).astype(np.float32)[:, :, None, None]
    maps = graph.node("Conv", [features, graph.constant(share)], auto_pad="VALID")
    evidence = graph.node("Squeeze", [maps, graph.integers(1)])
    return evidence, graph.per_image(evidence, float(bias[0]))


def _flatten(
    model: keras.Model, graph: Graph, features: str, grid: tuple[int, int]
) -> tuple[str, str]:
    hidden, normal, last = (
        next(layer for layer in model.layers if layer.name == name)
        for name in ("dense", "batch_normalization", "dense_1")
    )
    kernel, hidden_bias = (np.asarray(values, dtype=np.float32) for values in hidden.get_weights())
    gamma, beta, mean, variance = (np.asarray(v, dtype=np.float64) for v in normal.get_weights())
    weight, bias = (np.asarray(values, dtype=np.float64) for values in last.get_weights())
    factor = gamma / np.sqrt(variance + normal.epsilon)
    effect = (weight[:, 0] * factor).astype(np.float32)
    rest = np.float32(bias[0] + weight[:, 0] @ (beta - mean * factor))

    places, units = grid[0] * grid[1], kernel.shape[1]
    channels = kernel.shape[0] // places
    by_place = graph.node("Transpose", [features], perm=[2, 3, 0, 1])
    by_place = graph.node("Reshape", [by_place, graph.integers(places, -1, channels)])
    # One product per place, kept apart: the evidence needs them, their sum is the hidden layer.
    kernels = graph.constant(kernel.reshape(places, channels, units))
    parts = graph.node("MatMul", [by_place, kernels])
    summed = graph.node("ReduceSum", [parts, graph.integers(0)], keepdims=0)
    total = graph.node("Add", [summed, graph.constant(hidden_bias)])
    active = graph.node("Greater", [total, graph.numbers(0.0)])
    effects = graph.node("Mul", [graph.node("Cast", [active], to=1), graph.constant(effect)])
    weighted = graph.node("Mul", [parts, effects])
    flat = graph.node("ReduceSum", [weighted, graph.integers(2)], keepdims=0)
    flat = graph.node("Transpose", [flat], perm=[1, 0])
    evidence = graph.node("Reshape", [flat, graph.integers(-1, *grid)])
    biases = graph.node("Mul", [effects, graph.constant(hidden_bias)])
    bias_name = graph.node("ReduceSum", [biases, graph.integers(1)], keepdims=0)
    return evidence, graph.node("Add", [bias_name, graph.numbers(float(rest))])


def _distance(graph: Graph, features: str, logit: str, space: FeatureSpace | None) -> str:
    if space is None:
        return graph.node("Mul", [logit, graph.numbers(0.0)])
    pooled = graph.node("GlobalAveragePool", [features])
    flat = graph.node("Reshape", [pooled, graph.integers(-1, len(space.mean))])
    last = graph.integers(1)
    length = graph.node("ReduceSum", [graph.node("Mul", [flat, flat]), last], keepdims=1)
    # Features without any activation have no direction; they stay at the origin.
    length = graph.node("Max", [length, graph.numbers(1e-12)])
    unit = graph.node("Div", [flat, graph.node("Sqrt", [length])])
    apart = graph.node("Sub", [unit, graph.constant(space.mean.astype(np.float32))])
    # Half precision halves what the check adds to the file and moves a distance by 1e-4 of itself.
    axes = graph.node("Cast", [graph.constant(space.axes.astype(np.float16))], to=1)
    along = graph.node("MatMul", [apart, axes])
    squares = graph.node("Mul", [along, along])
    # What lies off the axes is the whole length less what lies along them.
    weights = (1.0 / space.variances - 1.0 / space.noise).astype(np.float32)
    weighted = graph.node("Mul", [squares, graph.constant(weights)])
    inside = graph.node("ReduceSum", [weighted, last], keepdims=0)
    whole = graph.node("ReduceSum", [graph.node("Mul", [apart, apart]), last], keepdims=0)
    outside = graph.node("Mul", [whole, graph.numbers(1.0 / space.noise)])
    squared = graph.node("Add", [inside, outside])
    mean = graph.node("Mul", [squared, graph.numbers(1.0 / len(space.mean))])
    return graph.node("Sqrt", [graph.node("Relu", [mean])])
