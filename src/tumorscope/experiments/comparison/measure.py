"""What a system costs on this machine: parameters, arithmetic, latency, training speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.cores import cores
from tumorscope.common.errors import InputError
from tumorscope.common.progress import pulse
from tumorscope.experiments.comparison.features import taps_of
from tumorscope.networks.body import backbone_of
from tumorscope.networks.cost import layer_macs
from tumorscope.networks.feature_engine import feature_engine
from tumorscope.networks.halves import WHOLE, trainable_part
from tumorscope.networks.model_graph import model_graph
from tumorscope.networks.onnx_graph import UnsupportedLayerError, feature_graph
from tumorscope.networks.scaling import SCALINGS, network_input
from tumorscope.networks.start import start
from tumorscope.networks.systems import System, recipe_for
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.trainer import make_optimizer

if TYPE_CHECKING:
    import keras
    import onnx

STEP = 8
"""Images in a training step that is timed: a batch of 32 of VGG16 takes minutes on one core."""

SECONDS = 4.0
"""To spend on each timing, roughly; each is taken at least three times."""

FROZEN = 16
"""Images in a frozen pass that is timed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one system costs.

    Attributes
    ----------
    input_px : str
        Edge of the input, one for each backbone.
    parameters : int
        Of the network with its head; of frozen features, of the backbones and a linear classifier.
    gmac : float
        Multiply-accumulates of one image, 10⁹.
    latency_ms : float
        Median of one prepared image through the network, all cores.
    latency_engine : {"ONNX Runtime", "Keras"}
        What computed it.
    frozen_images_per_s : float
        Images per second through the backbone as frozen layers are run in training.
    tuning_images_per_s : float or None
        Images per second of training all layers, in steps of `STEP`; None where nothing is.
    """

    input_px: str
    parameters: int
    gmac: float
    latency_ms: float
    latency_engine: str
    frozen_images_per_s: float
    tuning_images_per_s: float | None

    def to_json(self) -> dict[str, object]:
        """Return plain values, numbers to four digits."""
        return {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def measure(system: System, recipe: Recipe) -> Cost:
    """Measure what a system costs, with random weights, on images of noise.

    Parameters
    ----------
    system : System
        Which.
    recipe : Recipe
        Input size, head, optimiser.
    """
    noise = np.random.default_rng(0)
    runs: list[Callable[[], object]] = []
    passes: list[Callable[[], object]] = []
    sizes, engines = [], set()
    parameters, macs, features = 0, 0, 0
    step = None
    for name in system.backbones:
        pulse()
        own = recipe_for(system, recipe, name)
        model, _ = start(own, "none")
        backbone = backbone_of(model)
        size = own.input.size
        pixels = noise.integers(0, 256, (FROZEN, size, size), dtype=np.uint8)
        taps = taps_of(backbone, name, parts=system.parts)
        if system.classifier is None:
            parameters += model.count_params()
            macs += layer_macs(model)
            step = _step(model, own, pixels[:STEP])
        else:
            parameters += backbone.count_params()
            macs += layer_macs(backbone)
            features += sum(tap.shape[-1] for tap in taps)
        engine, run = _one_image(model, own, taps, whole=system.classifier is None)
        runs.append(partial(run, pixels[:1]))
        engines.add(engine)
        passes.append(partial(feature_engine(backbone, taps, own.input.scaling), pixels))
        sizes.append(str(size))
    if system.classifier is not None:
        parameters, macs = parameters + features + 1, macs + features
    return Cost(
        input_px=" + ".join(sizes),
        parameters=parameters,
        gmac=macs / 1e9,
        latency_ms=1000 * _median(runs, most=30),
        latency_engine=" + ".join(sorted(engines)),
        frozen_images_per_s=FROZEN / _median(passes),
        tuning_images_per_s=None if step is None else STEP / _median([step]),
    )


def _one_image(
    model: keras.Model, recipe: Recipe, taps: Sequence[keras.KerasTensor], *, whole: bool
) -> tuple[str, Callable[[NDArray[np.uint8]], object]]:
    """Return the engine's name, and what runs prepared images through it."""
    import keras
    import onnxruntime

    scale, offset = SCALINGS[recipe.input.scaling]
    graph: onnx.ModelProto
    try:
        if whole:
            graph = model_graph(model, recipe)
        else:
            graph = feature_graph(backbone_of(model), taps=taps, scale=scale, offset=offset)
    except (InputError, UnsupportedLayerError):
        network = model if whole else keras.Model(backbone_of(model).input, list(taps))
        scaling = recipe.input.scaling
        return "Keras", lambda pixels: network.predict_on_batch(network_input(pixels, scaling))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return "ONNX Runtime", lambda pixels: session.run(None, {"pixels": pixels})


def _step(model: keras.Model, recipe: Recipe, pixels: NDArray[np.uint8]) -> Callable[[], object]:
    part = trainable_part(model, from_layer=WHOLE, batch_norm=recipe.fine_tuning.batch_norm)
    rate = recipe.fine_tuning.learning_rate
    part.compile(make_optimizer(recipe.optimisation, rate), loss="binary_crossentropy")
    labels = (np.arange(len(pixels)) % 2).astype(np.float32)[:, None]
    inputs = network_input(pixels, recipe.input.scaling)
    return lambda: part.train_on_batch(inputs, labels)


def _median(runs: Sequence[Callable[[], object]], *, most: int = 10) -> float:
    """Return the median time, in seconds, of doing all of `runs` once; the first is not counted."""
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < 4 or (len(taken) <= most and time.perf_counter() - began < SECONDS):
        before = time.perf_counter()
        for run in runs:
            run()
        taken.append(time.perf_counter() - before)
        pulse()
    return statistics.median(taken[1:])
