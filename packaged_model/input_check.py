"""The input check of a finished model file, learnt anew; nothing else of its graph changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from packaged_model.brain_or_not import BrainOrNot, Features, Pixels, learn, look, moved_brains
from packaged_model.cuts import Cut, prepared
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.cores import in_threads
from tumorscope.detection.engines import open_engine
from tumorscope.imaging import Preprocessing, prepare, read_slice
from tumorscope.model_file.onnx_file import ModelFile, read_model, write_model
from tumorscope.model_file.schema import Estimate, InputCheck
from tumorscope.statistics import Interval, wilson
from tumorscope.synthetic.impostors import draw_impostors

MOST_OF_A_SOURCE = 120
TESTED = 400
HEADING = "\n## Input check\n"


def renew_input_check(
    path: Path,
    manifest: Manifest,
    *,
    cuts: Sequence[Cut] = (),
    copies: Mapping[Path, Sequence[Cut]] | None = None,
) -> str:
    """Put an input check into a model file that was learnt from brains and drawings.

    The graph's output `distance` becomes exp of a linear score of pooled features of three layers:
    the one that it was computed from, and two before it; see `layers_of`. Probability, logit,
    evidence and bias stay to the bit; the id, which is a hash of the graph, does not.

    Parameters
    ----------
    path : Path
        The model file; replaced.
    manifest : Manifest
        Of its training. The brains of the split "testing" only say how many are refused.
    cuts : sequence of Cut
        Of volumes, which are learnt from as well.
    copies : mapping of Path to sequence of Cut, optional
        Files to be written with a check that is learnt from other cuts and alike otherwise.

    Returns
    -------
    str
        What the new checks refuse.
    """
    model = read_model(path)
    how = model.metadata.preprocessing.preprocessing
    graph = onnx.load_from_string(model.graph)
    layers = layers_of(graph)
    run = pooled(graph, layers)
    usable = manifest.usable
    chosen = _some_of_each(usable.of_split("training", "tuning"))
    brains, sources = _read(chosen, how), np.array([row.source for row in chosen.rows])
    tested = usable.of_split("testing")
    shown = {
        "other": run(draw_impostors(brains, how, count=TESTED, seed=3)),
        "moved": run(moved_brains(brains, how, count=TESTED, seed=4)[1]),
        "brain": run(_read(tested, how)) if len(tested) else [],
    }
    lesson = look(run, brains, sources, how)
    said = []
    for file, mine in {**(copies or {}), path: cuts}.items():
        pixels, of = prepared(mine, set(sources), how)
        judge = learn(lesson.with_cuts(run(pixels), of) if mine else lesson)
        changed = with_judge(graph, layers, judge).SerializeToString()
        renewed = ModelFile(file, model.metadata, changed)
        _check_unchanged(model, renewed, brains[:: max(1, len(brains) // 40)])
        said.append(_write(renewed, judge, shown, cuts=bool(mine)))
    return "\n".join(said)


def _write(
    model: ModelFile, judge: BrainOrNot, shown: Mapping[str, list[Features]], *, cuts: bool
) -> str:
    """Write a model with the shares that the judge in its graph refuses; return them in words."""
    check = InputCheck(
        distance=1.0,
        refused_brain=_refused(judge, shown["brain"]) if shown["brain"] else None,
        refused_other=_refused(judge, shown["other"]),
    )
    card = _with_section(model.metadata.card, check, cuts=cuts)
    metadata = model.metadata.model_copy(update={"input_check": check, "card": card})
    written = write_model(model.path, model.graph, metadata)
    again = _refused(judge, shown["moved"])
    return (
        f"{written.metadata.id} refuses {_share(check.refused_other)} of drawings, "
        f"{_share(check.refused_brain)} of brains never trained on, and {_share(again)} of those "
        "that were, as other scanners would show them."
    )


def layers_of(graph: onnx.ModelProto) -> list[str]:
    """Return the values that the check pools: two earlier layers and the one it looked at.

    The earlier ones are the last activation with fewer channels and the last but two: in
    MobileNetV2 those behind the kernels of blocks 9 and 10. They know textures that the later one
    has given up, and all three together tell more than any of them.

    Raises
    ------
    SystemExit
        If the graph has no distance of pooled features.
    """
    pools = [node for node in _behind_distance(graph) if node.op_type == "GlobalAveragePool"]
    if not pools:
        raise SystemExit("The model has no distance: it was fitted on too few images. Train more.")
    late = pools[-1].input[0]
    shaped = onnx.shape_inference.infer_shapes(graph).graph.value_info
    channels = {
        each.name: each.type.tensor_type.shape.dim[1].dim_value
        for each in shaped
        if len(each.type.tensor_type.shape.dim) == 4
    }
    names = [node.output[0] for node in graph.graph.node]
    earlier = [
        node.output[0]
        for node in graph.graph.node[: names.index(late)]
        if node.op_type in ("Clip", "Relu") and channels.get(node.output[0], 0) < channels[late]
    ]
    return [*earlier[-3::2], late]


def pooled(graph: onnx.ModelProto, layers: list[str]) -> Callable[[Pixels], list[Features]]:
    """Return a function from prepared images to the average over places of some values."""
    tapped = onnx.ModelProto()
    tapped.CopyFrom(graph)
    names = [f"pooled_{number}" for number in range(len(layers))]
    for name, layer in zip(names, layers, strict=True):
        tapped.graph.node.append(helper.make_node("GlobalAveragePool", [layer], [name]))
        tapped.graph.output.append(
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        tapped.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(pixels: Pixels) -> list[Features]:
        found = in_threads(lambda image: session.run(names, {"pixels": image[None]}), list(pixels))
        return [
            np.concatenate(parts).reshape(len(pixels), -1) for parts in zip(*found, strict=True)
        ]

    return run


def with_judge(graph: onnx.ModelProto, layers: list[str], judge: BrainOrNot) -> onnx.ModelProto:
    """Return the graph with the output `distance` computed by a judge."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    gone = {node.output[0] for node in _behind_distance(graph)}
    kept = [node for node in graph.graph.node if node.output[0] not in gone]
    added: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    scores: list[str] = []

    def constant(values: NDArray[np.generic]) -> str:
        constants.append(numpy_helper.from_array(values, f"input_check_constant_{len(constants)}"))
        return str(constants[-1].name)

    def node(operator: str, *inputs: str, output: str = "", **attributes: int) -> str:
        name = output or f"input_check_{len(added)}"
        added.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    last = constant(np.array([1]))
    for layer, weights in zip(layers, judge.weights, strict=True):
        channels = constant(np.array([-1, len(weights)]))
        flat = node("Reshape", node("GlobalAveragePool", layer), channels)
        length = node("ReduceSum", node("Mul", flat, flat), last, keepdims=1)
        length = node("Sqrt", node("Max", length, constant(np.array([1e-12], np.float32))))
        weighted = node("Mul", node("Div", flat, length), constant(weights))
        scores.append(node("ReduceSum", weighted, last, keepdims=0))
    score = constant(np.array([judge.bias], np.float32))
    for each in scores:
        score = node("Add", each, score)
    node("Exp", score, output="distance")
    used = {source for each in kept for source in each.input}
    weights_kept = [each for each in graph.graph.initializer if each.name in used]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend([*kept, *added])
    model.graph.initializer.extend([*weights_kept, *constants])
    onnx.checker.check_model(model)
    return model


def _behind_distance(graph: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes that compute `distance` from features, these excluded, in their order."""
    made_by = {node.output[0]: node for node in graph.graph.node}
    open_values, found = ["distance"], set()
    while open_values:
        name = open_values.pop()
        if name in made_by and name not in found:
            found.add(name)
            if made_by[name].op_type != "GlobalAveragePool":
                open_values += made_by[name].input
    return [node for node in graph.graph.node if node.output[0] in found]


def _check_unchanged(before: ModelFile, after: ModelFile, pixels: Pixels) -> None:
    old, new = (open_engine(each, "onnxruntime").run(pixels) for each in (before, after))
    for name in ("probability", "logit", "evidence", "bias"):
        if not np.array_equal(getattr(old, name), getattr(new, name)):
            raise SystemExit(f"{before.path}: the new check would change the output {name}.")


def _some_of_each(manifest: Manifest) -> Manifest:
    generator, chosen = np.random.default_rng(0), set()
    sources = np.array([row.source for row in manifest.rows])
    for name in np.unique(sources):
        places = generator.permutation(np.flatnonzero(sources == name))[:MOST_OF_A_SOURCE]
        chosen |= {manifest.rows[place].path for place in places}
    return manifest.having(row for row in manifest.rows if row.path in chosen)


def _read(manifest: Manifest, how: Preprocessing) -> Pixels:
    manifest.check_files()
    return np.stack(
        in_threads(lambda row: prepare(read_slice(manifest.file(row)), how), manifest.rows)
    )


def _refused(judge: BrainOrNot, features: list[Features]) -> Estimate:
    distances = judge.distances(features)
    interval: Interval = wilson(int((distances > 1).sum()), len(distances))
    return Estimate(value=interval.value, low=interval.low, high=interval.high)


def _share(found: Estimate | None) -> str:
    if found is None:
        return "an unknown share"
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _with_section(card: str, check: InputCheck, *, cuts: bool) -> str:
    """Return the card with another section on the input check."""
    before, heading, rest = card.partition(HEADING)
    if not heading:
        return card
    _, following, after = rest.partition("\n## ")
    words = (
        "Images that features of three layers tell from brain MRI are refused as not a brain MRI "
        "slice. The check was learnt from the training images, "
        f"{'from coronal and sagittal cuts of volumes, ' if cuts else ''}and from drawings: brain "
        "slices taken apart, other parts of the body drawn roughly, plain patterns; it has seen no "
        f"real picture of anything else. Of other such drawings {_share(check.refused_other)} are "
        f"refused, of brain MRI never trained on {_share(check.refused_brain)}. The limit passes "
        "98 % of the brain MRI of sources left out while it was chosen."
    )
    return f"{before}{heading}\n{words}\n{following}{after}"
