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
from dataclasses import dataclass
from pathlib import Path

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

KERAS = "Keras predict"
ENGINE_ALONE = "ONNX Runtime alone"
LIMIT = "arithmetic limit"

ENGINES_OF: Mapping[str, tuple[EngineName, ...]] = {".xml": ("openvino",), ".tflite": ("litert",)}
"""Engines that read a file of that ending; any other is read by ONNX Runtime and OpenVINO."""

_KERAS_SCRIPT = """
import sys, keras, numpy as np
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
    keras_predict = None if keras_model is None else _keras(keras_model)
    return [
        *_one_image(detectors, images, keras_predict, repeats),
        *_folder(detectors, reference, images, keras_model),
        *_network(reference, images, repeats),
        *_cold_start(models[0], images[0], keras_model, max(3, repeats // 10)),
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


def _keras(path: Path) -> Callable[[NDArray[np.float32]], object]:
    from tumorscope.networks.backend import load_keras

    load_keras()
    import keras

    model = keras.models.load_model(path)
    size = model.input_shape[1]
    model.predict(np.zeros((1, size, size, 3), np.float32), verbose=0)
    return lambda batch: model.predict(batch, verbose=0)


def _one_image(
    detectors: Mapping[str, Detector],
    images: Sequence[Path],
    keras_predict: Callable[[NDArray[np.float32]], object] | None,
    repeats: int,
) -> list[Timing]:
    contenders: dict[str, Callable[[Path], object]] = {
        name: detector.detect for name, detector in detectors.items()
    }
    if keras_predict is not None:
        contenders[KERAS] = _keras_file(next(iter(detectors.values())), keras_predict)
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in track(range(repeats + 3), "One image at a time", total=repeats + 3):
        path = images[turn % len(images)]
        for name, answer in contenders.items():
            began = time.perf_counter()
            answer(path)
            taken[name].append(1000.0 * (time.perf_counter() - began))
    return _timings("one image", {name: times[3:] for name, times in taken.items()})


def _keras_file(
    detector: Detector, predict: Callable[[NDArray[np.float32]], object]
) -> Callable[[Path], object]:
    import keras

    size = detector.metadata.preprocessing.size

    def answer(path: Path) -> object:
        image = keras.utils.load_img(path, target_size=(size, size))
        return predict(keras.utils.img_to_array(image)[None] / 127.5 - 1)

    return answer


def _folder(
    detectors: Mapping[str, Detector],
    reference: ModelFile,
    images: Sequence[Path],
    keras_model: Path | None,
) -> list[Timing]:
    """Time whole passes over the images, contenders in turn, three times."""
    pixels = np.stack(
        [
            prepare(read_slice(path), reference.metadata.preprocessing.preprocessing)
            for path in images[:256]
        ]
    )
    contenders: dict[str, Callable[[], int]] = {
        name: _pass(detector, images) for name, detector in detectors.items()
    }
    contenders[ENGINE_ALONE] = _engine_alone(reference, pixels)
    if keras_model is not None:
        contenders[KERAS] = _keras_folder(reference, images, keras_model)
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in track(range(3), "A folder", total=3):
        for name, work in contenders.items():
            began = time.perf_counter()
            count = work()
            taken[name].append(1000.0 * (time.perf_counter() - began) / count)
    return _timings("folder", taken, n=len(images), tail=False)


def _pass(detector: Detector, images: Sequence[Path]) -> Callable[[], int]:
    return lambda: sum(1 for _ in detector.detect_many(images))


def _engine_alone(model: ModelFile, pixels: NDArray[np.uint8]) -> Callable[[], int]:
    """Return the engine's own limit: ready tensors, one session per core, nothing around it."""
    from concurrent.futures import ThreadPoolExecutor

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])

    def work() -> int:
        with ThreadPoolExecutor(cores()) as pool:
            runs = pool.map(
                lambda index: session.run(None, {"pixels": pixels[index : index + 1]}),
                range(len(pixels)),
            )
            return sum(1 for _ in runs)

    return work


def _keras_folder(
    reference: ModelFile, images: Sequence[Path], keras_model: Path
) -> Callable[[], int]:
    import keras

    model = keras.models.load_model(keras_model)
    size = reference.metadata.preprocessing.size

    def work() -> int:
        data = keras.utils.image_dataset_from_directory(
            images[0].parent, labels=None, image_size=(size, size), shuffle=False, verbose=False
        )
        return len(model.predict(data.map(lambda batch: batch / 127.5 - 1), verbose=0))

    return work


def _network(model: ModelFile, images: Sequence[Path], repeats: int) -> list[Timing]:
    """Time the engine alone on one ready tensor, all cores, beside what the arithmetic allows."""
    import onnxruntime

    how = model.metadata.preprocessing.preprocessing
    pixels = prepare(read_slice(images[0]), how)[None]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])
    left = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    run_ms, product_ms = [], []
    for _ in range(repeats + 3):
        began = time.perf_counter()
        session.run(None, {"pixels": pixels})
        run_ms.append(1000.0 * (time.perf_counter() - began))
        began = time.perf_counter()
        left @ left
        product_ms.append(1000.0 * (time.perf_counter() - began))
    timings = _timings("network", {ENGINE_ALONE: run_ms[3:]})
    try:
        from tumorscope.networks.cost import macs

        share = macs(model.graph, size=how.size) / 1024**3
    except ImportError:
        say(
            f"Left out: {LIMIT}: the onnx package, of the extra “train”, counts operations. "
            f"{how_to_install('train')}"
        )
        return timings
    best = share * statistics.median(product_ms[3:])
    return [*timings, Timing("network", LIMIT, 1, repeats, best, None)]


def _cold_start(model: Path, image: Path, keras_model: Path | None, repeats: int) -> list[Timing]:
    ours = [sys.executable, "-m", "tumorscope", "predict", str(image), "--model", str(model)]
    contenders = {"tumorscope predict": ours}
    if keras_model is not None:
        contenders["Keras script"] = [
            sys.executable, "-c", _KERAS_SCRIPT, str(keras_model), str(image)
        ]  # fmt: skip
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in track(range(repeats), "Cold starts", total=repeats):
        for name, command in contenders.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken[name].append(1000.0 * (time.perf_counter() - began))
    return _timings("cold start", taken, tail=False, reference="Keras script")


def _timings(
    measure: str,
    taken: Mapping[str, Sequence[float]],
    *,
    n: int | None = None,
    tail: bool = True,
    reference: str = KERAS,
) -> list[Timing]:
    medians = {name: statistics.median(times) for name, times in taken.items()}
    return [
        Timing(
            measure=measure,
            contender=name,
            batch=32 if measure == "folder" and name == KERAS else 1,
            n=n or len(times),
            median_ms=medians[name],
            p99_ms=float(np.percentile(times, 99)) if tail and len(times) >= 20 else None,
            against_keras=medians[reference] / medians[name] if reference in medians else None,
        )
        for name, times in taken.items()
    ]
