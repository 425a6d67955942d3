"""A model file → another format: converted, compared on real images, and only then kept."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.extras import require
from tumorscope.common.files import atomic_path, output_folder, write_json
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say, track
from tumorscope.conversion import float16, int8
from tumorscope.conversion.parity import (
    Figures,
    Limits,
    check_sample,
    compare,
    halves,
    objections,
)
from tumorscope.detection.engines import EngineName, Outputs, open_engine
from tumorscope.detection.seen import SeenImages
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.onnx_file import ModelFile, write_model
from tumorscope.model_file.other_formats import read_any
from tumorscope.model_file.schema import Precision

Format = Literal["onnx-f16", "onnx-int8", "openvino", "litert", "litert-int8"]

PARITY = "parity.json"

SUFFIXES: Mapping[Format, tuple[str, ...]] = {
    "onnx-f16": ("-f16.onnx",),
    "onnx-int8": ("-int8.onnx",),
    "openvino": (".bin", ".xml"),  # in this order: the .xml is of use only beside its .bin
    "litert": (".tflite",),
    "litert-int8": ("-int8.tflite",),
}
"""What each format adds to the stem of the model's name; the last is the one to open."""

ENGINES: Mapping[Format, EngineName] = {
    "onnx-f16": "onnxruntime",
    "onnx-int8": "onnxruntime",
    "openvino": "openvino",
    "litert": "litert",
    "litert-int8": "litert",
}

LIMITS: Mapping[Format, Limits] = {
    "onnx-f16": Limits(probability=0.01),
    "onnx-int8": Limits(),
    "openvino": Limits(probability=1e-3),
    "litert": Limits(probability=1e-3),
    "litert-int8": Limits(),
}

PACKAGES = ("tumorscope", "onnxruntime", "onnx", "openvino", "ai-edge-litert", "tensorflow-cpu")
BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Labelled images, prepared for a model.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
    labels : ndarray of int64, shape (n,)
        Reference standard: 1 tumour, 0 no tumour.
    groups : ndarray of str, shape (n,)
        What must not be parted.
    seen : ndarray of bool, shape (n,), or None
        Which the model was trained on; None where its file knows no image.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    seen: NDArray[np.bool_] | None

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, positions: NDArray[np.int64]) -> Sample:
        """Return the images at `positions`."""
        return Sample(
            self.pixels[positions],
            self.labels[positions],
            self.groups[positions],
            None if self.seen is None else self.seen[positions],
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to convert, and how it compared."""

    name: str
    bytes: int
    figures: Figures
    objections: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "name": self.name,
            "passed": not self.objections,
            "bytes": self.bytes,
            "objections": list(self.objections),
            **self.figures.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `convert` wrote, and why it may be trusted.

    Attributes
    ----------
    path : Path
        The artefact to open; an .xml has its .bin beside it.
    parity : dict
        What `parity.json` says of it.
    trials : tuple of Trial
        Every attempt; the last one passed.
    """

    path: Path
    parity: dict[str, object] = field(repr=False)
    trials: tuple[Trial, ...]


def require_for(to: Format) -> None:
    """Make sure that what a format needs is installed, before anything is read or converted.

    Raises
    ------
    MissingExtraError
        If it is not.
    """
    purpose = f"export to {to}"
    if to == "openvino":
        require("openvino", to=purpose)
    elif to.startswith("litert"):
        require("train", "litert", to=purpose, only=("tensorflow", "onnx", "ai_edge_litert"))
    else:
        require("train", to=purpose, only=("onnx",))


def check_original(model: ModelFile) -> None:
    """Refuse a model that was converted already.

    Raises
    ------
    InputError
        If its weights are not float32.
    """
    if model.metadata.precision != "float32":
        raise InputError(
            f"{model.path} is a {model.metadata.precision} model. Expected one of float32, because "
            "every conversion loses something. Export from the original, or from the run that it "
            "was made of."
        )


def load_sample(manifest: Manifest, model: ModelFile) -> Sample:
    """Read the usable images of a manifest and prepare them as the model asks.

    Raises
    ------
    InputError
        If none is usable.
    """
    rows = manifest.usable.rows
    if not rows:
        raise InputError(
            f"None of the {len(manifest)} calibration images can be read. Expected labelled brain "
            "MRI slices. Give other images with --calibration."
        )
    how = model.metadata.preprocessing.preprocessing
    pixels = np.empty((len(rows), how.size, how.size), dtype=np.uint8)
    known = SeenImages(model.metadata.seen)
    seen = np.zeros(len(rows), dtype=np.bool_)
    for index, row in enumerate(track(rows, "Reading images")):
        scan = read_slice(manifest.file(row))
        pixels[index], seen[index] = prepare(scan, how), bool(known.holds(scan))
    labels = np.array([row.label for row in rows], dtype=np.int64)
    groups = np.array([row.group for row in rows], dtype=np.str_)
    return Sample(pixels, labels, groups, seen if known.count else None)


@one_writer
def convert(model: ModelFile, to: Format, *, output: str | Path, sample: Sample) -> Conversion:
    """Convert a model file and keep the result only if it still decides as the original.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.onnx_file.read_model`; float32.
    to : str
        One of `SUFFIXES`.
    output : path
        Folder for the artefact and `parity.json`.
    sample : Sample
        Labelled images. 8-bit formats are calibrated on one part of the groups and judged on the
        other; the others are judged on all.

    Returns
    -------
    Conversion
        Where it lies, and the comparison.

    Raises
    ------
    HonestyError
        If no way to convert passes; nothing is left behind.
    InputError
        If the images cannot show whether the model was harmed, or the model is not float32.
    UsageError
        If a package that the format needs is not installed.
    OutputError
        If the folder cannot be written to.
    """
    require_for(to)
    check_original(model)
    return _convert(model, to, output_folder(Path(output)), sample)


def _convert(model: ModelFile, to: Format, folder: Path, sample: Sample) -> Conversion:
    if to.endswith("int8"):
        calibration, positions = halves(sample.labels, sample.groups)
        pixels, judged = sample.pixels[calibration], sample.of(positions)
    else:
        check_sample(sample.labels, what="the images to compare on")
        pixels, judged = sample.pixels[:0], sample
    before = _run(model, "onnxruntime", judged.pixels)
    seen = None if judged.seen is None else int(judged.seen.sum())
    if seen is None:
        say(
            f"Whether {model.path.name} was trained on the images to judge by cannot be told: it "
            "holds no thumbprints."
        )
    elif 2 * seen > len(judged):
        say(
            f"{seen} of the {len(judged)} images to judge by are known to the model from training, "
            "where it is surer than elsewhere: others would test the conversion harder."
        )
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix=".export-", suffix=".partial", dir=folder) as name:
        for way, write in _ways(model, to, pixels):
            say(f"Converting to {to}: {way} …")
            staged = [Path(name, model.path.stem + suffix) for suffix in SUFFIXES[to]]
            write(staged[-1])
            after = _run(read_any(staged[-1]), ENGINES[to], judged.pixels)
            figures = compare(before, after, labels=judged.labels, metadata=model.metadata)
            against = objections(figures, LIMITS[to])
            size = sum(path.stat().st_size for path in staged)
            trials.append(Trial(way, size, figures, against))
            if not against:
                break
            say(f"  refused: {'; '.join(against)}")
        else:
            raise HonestyError(_refusal(model, to, trials))
        parity = _record(model, to, staged, trials, calibrated=len(pixels), seen=seen)
        write_json(Path(name, PARITY), _merged(folder / PARITY, to, parity))
        for path in (*staged, Path(name, PARITY)):
            _publish(path, folder)
    return Conversion(folder / staged[-1].name, parity, tuple(trials))


Way = tuple[str, Callable[[Path], object]]


def _ways(model: ModelFile, to: Format, pixels: NDArray[np.uint8]) -> Iterator[Way]:
    """Yield name and writer of every way to convert, the best first."""

    def onnx(make: Callable[[], bytes], precision: Precision) -> Callable[[Path], object]:
        metadata = model.metadata.model_copy(update={"precision": precision})
        return lambda path: write_model(path, make(), metadata)

    if to == "onnx-f16":
        yield "weights as float16", onnx(lambda: float16.to_float16(model.graph), "float16")
    elif to == "onnx-int8":
        for attempt in int8.attempts(model.graph, pixels):
            yield attempt.name, onnx(attempt.make, "int8")
    elif to == "openvino":
        from tumorscope.conversion.openvino import write_openvino

        yield "float32", lambda path: write_openvino(model, path)
    elif to == "litert":
        from tumorscope.conversion.litert import write_litert

        yield "float32", lambda path: write_litert(model, path)
    else:
        from tumorscope.conversion.litert import write_litert

        def lite(make: Callable[[], bytes]) -> Callable[[Path], object]:
            return lambda path: write_litert(model, path, graph=make(), precision="int8")

        for attempt in int8.attempts(model.graph, pixels):
            yield attempt.name, lite(attempt.make)


def _run(model: ModelFile, name: EngineName, pixels: NDArray[np.uint8]) -> Outputs:
    engine = open_engine(model, name)
    parts = [engine.run(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
    return Outputs(
        *(
            np.concatenate([getattr(part, output) for part in parts])
            for output in ("probability", "logit", "evidence", "bias", "distance")
        )
    )


def _record(
    model: ModelFile,
    to: Format,
    staged: Sequence[Path],
    trials: Sequence[Trial],
    *,
    calibrated: int,
    seen: int | None,
) -> dict[str, object]:
    limits = LIMITS[to]
    metadata = read_any(staged[-1]).metadata
    return {
        "model": model.metadata.id,
        "model_bytes": len(model.graph),
        "format": to,
        "id": metadata.id,
        "precision": metadata.precision,
        "files": [path.name for path in staged],
        "bytes": trials[-1].bytes,
        "engine": ENGINES[to],
        "chosen": trials[-1].name,
        "limits": {
            "auc_fall": limits.auc_fall,
            "flips": limits.flips,
            "evidence_error": limits.evidence,
            "max_difference": limits.probability,
        },
        "images_calibrated_on": calibrated,
        "images_judged_on": trials[-1].figures.n,
        "of_these_seen_in_training": seen,
        "attempts": [trial.to_json() for trial in trials],
        "versions": _versions(),
        "machine": platform.machine(),
    }


def _refusal(model: ModelFile, to: Format, trials: Sequence[Trial]) -> str:
    reasons = ". ".join(f"{trial.name}: {'; '.join(trial.objections)}" for trial in trials)
    others = "onnx-f16" if to != "onnx-f16" else "the float32 original"
    return (
        f"{model.path} cannot be exported as {to}: none of {len(trials)} ways kept its decisions "
        f"on {trials[-1].figures.n} images that it was not calibrated on. {reasons}. Nothing was "
        f"written. Use {others}, or calibrate on more images of the kind that it will see."
    )


def _merged(path: Path, to: Format, parity: dict[str, object]) -> dict[str, object]:
    """Return what is known of other formats in the same folder, with this one."""
    known: dict[str, object] = {}
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        document = None
    if isinstance(document, dict) and isinstance(document.get("formats"), dict):
        known = {name: item for name, item in document["formats"].items() if name in SUFFIXES}
    return {"formats": {**known, to: parity}}


def _publish(path: Path, folder: Path) -> None:
    with atomic_path(folder / path.name) as temporary:
        shutil.move(path, temporary)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, "python": platform.python_version()}
