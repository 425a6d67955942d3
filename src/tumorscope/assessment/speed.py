"""How fast a model is here, beside what a user would pick instead, in the same run.

Contenders take turns image by image, so that whatever else the machine does hits all alike; that
makes ratios worth more than times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.cores import cores
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.extras import how_to_install
from tumorscope.common.limits import check_whole
from tumorscope.common.progress import say, track
from tumorscope.detection.detector import Detector
from tumorscope.detection.engines import EngineName
from tumorscope.imaging import Slice, prepare, read_slice
from tumorscope.model_file.onnx_file import ModelFile, read_model

if TYPE_CHECKING:
    import onnxruntime

KERAS = "Keras predict"
ENGINE_ALONE = "ONNX Runtime alone"
LIMIT = "arithmetic limit"
KERAS_SCRIPT = "Keras script"
TAILED = ("one image", "network")
"""What is timed often enough to have a 99th percentile."""

ENGINES_OF: Mapping[str, tuple[EngineName, ...]] = {".xml": ("openvino",), ".tflite": ("litert",)}
"""Engines that read a file of that ending; any other is read by ONNX Runtime and OpenVINO."""

WARM_UP = 3
"""First turns that are not counted."""

Contenders = Mapping[str, Callable[[int], int]]
"""Name → what is timed: it takes the number of the turn and returns how many images it did."""

_KERAS_SCRIPT = """
import sys, keras, numpy as np
import tumorscope.networks.dense_layers
model = keras.models.load_model(sys.argv[1])
size = model.input_shape[1]
image = keras.utils.load_img(sys.argv[2], target_size=(size, size))
print(float(model.predict(keras.utils.img_to_array(image)[None] / 127.5 - 1, verbose=0)[0, 0]))
"""


@dataclass(frozen=True, slots=True)
class Timing:
    """One contender in one measure.

    Attributes
    ----------
    measure : str
        What was timed: "one image", "folder", "cold start" or "network".
    contender : str
        Who: an engine with its precision, or what it is compared with.
    batch : int
        Images per run of the network.
    n : int
        How often it was timed; images for "folder".
    median_ms, p99_ms : float
        Milliseconds per image, or per start.
    against_keras : float or None
        Keras' median divided by this one; None where Keras was not timed.
    """

    measure: str
    contender: str
    batch: int
    n: int
    median_ms: float
    p99_ms: float | None
    against_keras: float | None = None

    def to_record(self) -> dict[str, object]:
        """Return plain values for a table, rounded to what can be believed."""
        per_second = 1000.0 / self.median_ms
        return {
            "measure": self.measure,
            "contender": self.contender,
            "batch": self.batch,
            "n": self.n,
            "median_ms": float(f"{self.median_ms:.4g}"),
            "p99_ms": "" if self.p99_ms is None else float(f"{self.p99_ms:.4g}"),
            "per_second": float(f"{per_second:.4g}"),
            "keras_over_this": ""
            if self.against_keras is None
            else float(f"{self.against_keras:.3g}"),
        }


def bench(
    models: Sequence[Path],
    images: Sequence[Path],
    *,
    keras_model: Path | None = None,
    repeats: int = 100,
) -> list[Timing]:
    """Time models on images, file to finding.

    Parameters
    ----------
    models : sequence of path
        Model files; each is run by every installed engine that reads it. The first must be an
        ``.onnx``: it is what an engine alone is timed on.
    images : sequence of path
        Readable images; the folder that holds the first is what Keras reads as a folder.
    keras_model : path, optional
        A ``.keras`` file of the same network, timed beside them; needs the train extra.
    repeats : int
        How many single images are timed; cold starts a tenth as often, at least 3.

    Returns
    -------
    list of Timing
        Grouped by measure, in the order in which contenders were given.

    Raises
    ------
    InputError
        If there are no images, or a model cannot be used.
    UsageError
        If `repeats` is less than 1.
    """
    check_whole("repeats", repeats, at_least=1)
    if not images:
        raise InputError("Received no images to time. Expected at least one readable image.")
    reference = read_model(models[0])
    detectors = dict(_detectors(models))
    keras = None if keras_model is None else _Keras(keras_model)
    starts = max(3, repeats // 10)
    return [
        *_timings("one image", _one_image(detectors, images, keras, repeats)),
        *_timings("folder", _folder(detectors, reference, images, keras), n=len(images)),
        *_network(reference, images[0], repeats),
        *_timings("cold start", _cold_start(models[0], images[0], keras_model, starts)),
    ]


def _detectors(models: Sequence[Path]) -> Iterator[tuple[str, Detector]]:
    for path in models:
        for engine in ENGINES_OF.get(path.suffix.lower(), ("onnxruntime", "openvino")):
            for fast in (False, True) if engine == "openvino" else (False,):
                try:
                    detector = Detector.load(path, engine=engine, fast=fast)
                    detector.detect(_blank(detector))  # engines are opened by the first image
                except UsageError as error:
                    say(f"Left out: {engine} on {path.name}: {error}")
                    break
                yield f"{engine} {detector.metadata.precision}{' fast' * fast}", detector


def _blank(detector: Detector) -> Slice:
    size = detector.metadata.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 255, (size, size), dtype=np.uint8)
    return Slice(pixels=pixels, source="warm-up")


class _Keras:
    """A Keras model, used as its documentation says."""

    def __init__(self, path: Path) -> None:
        from tumorscope.networks.network import load

        self._model = load(path)
        import keras

        self._utils: Any = keras.utils
        self._size = self._model.input_shape[1]
        self._predict(np.zeros((1, self._size, self._size, 3), np.float32))

    def _predict(self, batches: object) -> int:
        return len(self._model.predict(batches, verbose=0))

    def file(self, path: Path) -> int:
        """Predict one image."""
        image = self._utils.load_img(path, target_size=(self._size, self._size))
        return self._predict(self._utils.img_to_array(image)[None] / 127.5 - 1)

    def folder(self, folder: Path) -> int:
        """Predict every image in a folder; return how many there are."""
        data = self._utils.image_dataset_from_directory(
            folder, labels=None, image_size=(self._size, self._size), shuffle=False, verbose=False
        )
        return self._predict(data.map(lambda batch: batch / 127.5 - 1))


def _in_turns(
    contenders: Contenders, turns: int, what: str, *, warm_up: int = 0
) -> dict[str, list[float]]:
    """Return the milliseconds per image of every contender in every turn after the warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in track(range(turns + warm_up), what, total=turns + warm_up):
        for name, work in contenders.items():
            began = time.perf_counter()
            count = work(turn)
            taken[name].append(1000.0 * (time.perf_counter() - began) / count)
    return {name: times[warm_up:] for name, times in taken.items()}


def _one_image(
    detectors: Mapping[str, Detector], images: Sequence[Path], keras: _Keras | None, repeats: int
) -> dict[str, list[float]]:
    def answer(turn: int, *, by: Callable[[Path], object]) -> int:
        by(images[turn % len(images)])
        return 1

    contenders = {name: partial(answer, by=each.detect) for name, each in detectors.items()}
    if keras is not None:
        contenders[KERAS] = partial(answer, by=keras.file)
    return _in_turns(contenders, repeats, "One image at a time", warm_up=WARM_UP)


def _folder(
    detectors: Mapping[str, Detector],
    reference: ModelFile,
    images: Sequence[Path],
    keras: _Keras | None,
) -> dict[str, list[float]]:
    """Time whole passes over the images, contenders in turn, three times."""

    def work(_: int, *, detector: Detector) -> int:
        return sum(1 for _ in detector.detect_many(images))

    contenders: dict[str, Callable[[int], int]] = {
        name: partial(work, detector=detector) for name, detector in detectors.items()
    }
    contenders[ENGINE_ALONE] = _engine_alone(reference, images[:256])
    if keras is not None:
        contenders[KERAS] = lambda _: keras.folder(images[0].parent)
    return _in_turns(contenders, 3, "A folder")


def _engine_alone(model: ModelFile, images: Sequence[Path]) -> Callable[[int], int]:
    """Return the engine's own limit: ready tensors, one run per core, nothing around it."""
    session = _session(model, threads=1)
    ready = [_prepared(model, path) for path in images]

    def work(_: int) -> int:
        with ThreadPoolExecutor(cores()) as pool:
            return sum(1 for _ in pool.map(lambda each: session.run(None, {"pixels": each}), ready))

    return work


def _network(model: ModelFile, image: Path, repeats: int) -> list[Timing]:
    """Time the engine alone on one ready tensor, all cores, beside what the arithmetic allows."""
    session, pixels = _session(model, threads=cores()), _prepared(model, image)
    left = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)

    def run(_: int) -> int:
        return len(session.run(None, {"pixels": pixels})[0])

    def multiply(_: int) -> int:
        return len(left @ left) // len(left)

    contenders: Contenders = {ENGINE_ALONE: run, LIMIT: multiply}
    taken = _in_turns(contenders, repeats, "The network alone", warm_up=WARM_UP)
    timings = _timings("network", {ENGINE_ALONE: taken[ENGINE_ALONE]})
    try:
        from tumorscope.networks.cost import macs

        share = macs(model.graph, size=model.metadata.preprocessing.size) / 1024**3
    except ImportError:
        say(
            f"Left out: {LIMIT}: the onnx package, of the extra “train”, counts operations. "
            f"{how_to_install('train')}"
        )
        return timings
    best = share * statistics.median(taken[LIMIT])
    return [*timings, Timing("network", LIMIT, 1, repeats, best, None)]


def _session(model: ModelFile, *, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])


def _prepared(model: ModelFile, path: Path) -> NDArray[np.uint8]:
    """Return an image as the network takes it, uint8 (1, size, size)."""
    return prepare(read_slice(path), model.metadata.preprocessing.preprocessing)[None]


def _cold_start(
    model: Path, image: Path, keras_model: Path | None, repeats: int
) -> dict[str, list[float]]:
    def started(_: int, *, command: Sequence[str]) -> int:
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        return 1

    ours = ["-m", "tumorscope", "predict", str(image), "--model", str(model)]
    contenders = {"tumorscope predict": partial(started, command=ours)}
    if keras_model is not None:
        theirs = ["-c", _KERAS_SCRIPT, str(keras_model), str(image)]
        contenders[KERAS_SCRIPT] = partial(started, command=theirs)
    return _in_turns(contenders, repeats, "Cold starts")


def _timings(
    measure: str, taken: Mapping[str, Sequence[float]], *, n: int | None = None
) -> list[Timing]:
    """Summarise times; Keras is what the others are held against, where it was timed."""
    medians = {name: statistics.median(times) for name, times in taken.items()}
    keras = medians.get(KERAS, medians.get(KERAS_SCRIPT))
    tail = measure in TAILED
    return [
        Timing(
            measure=measure,
            contender=name,
            batch=32 if measure == "folder" and name == KERAS else 1,
            n=n or len(times),
            median_ms=medians[name],
            p99_ms=float(np.percentile(times, 99)) if tail and len(times) >= 20 else None,
            against_keras=None if keras is None else keras / medians[name],
        )
        for name, times in taken.items()
    ]
