"""A model file → another format: converted, compared on real images, and only then kept."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import ask
from tumorscope.common.errors import HonestyError
from tumorscope.common.files import atomic_path, output_folder, write_json
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import say
from tumorscope.common.versions import versions
from tumorscope.conversion import int8
from tumorscope.conversion.formats import FORMATS, Format, require_for
from tumorscope.conversion.original import original_of
from tumorscope.conversion.parity import (
    Parity,
    calibration_and_holdout,
    check_answered,
    check_sample,
    compare,
    proof,
    violations,
)
from tumorscope.conversion.sample import Sample, say_what_is_known
from tumorscope.conversion.storage import to_float16
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile, write_model
from tumorscope.model_file.other_formats import read_any
from tumorscope.model_file.schema import Precision

PARITY = "parity.json"

PACKAGES = ("onnxruntime", "onnx", "openvino", "ai-edge-litert", "tensorflow-cpu")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to convert, and how it compared.

    Attributes
    ----------
    name : str
        Of the way.
    bytes : int
        Of the files that it made.
    parity : Parity
        Beside the original.
    violations : tuple of str
        Which limits it exceeds, in words; none if it passed.
    proof : str
        Whether so many images show that no more decisions change than allowed.
    """

    name: str
    bytes: int
    parity: Parity
    violations: tuple[str, ...]
    proof: str

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "name": self.name,
            "passed": not self.violations,
            "bytes": self.bytes,
            "objections": list(self.violations),
            "proof": self.proof,
            **self.parity.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `convert` wrote, and why it may be trusted.

    Attributes
    ----------
    path : Path
        The file to open; an .xml has its .bin beside it.
    parity : dict
        What `parity.json` says of it.
    attempts : tuple of Attempt
        In turn; the last one passed.
    """

    path: Path
    parity: dict[str, object] = field(repr=False)
    attempts: tuple[Attempt, ...]


@one_writer
def convert(model: ModelFile, to: Format, *, output: str | Path, sample: Sample) -> Conversion:
    """Convert a model file and keep the result only if it still decides as the original.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.onnx_file.read_model`; computes in float32, whatever its weights
        are stored in.
    to : str
        One of `tumorscope.conversion.formats.FORMATS`.
    output : path
        Folder for the converted model and `parity.json`.
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
        If the images cannot show whether the model was harmed, or the model computes in integers.
    UsageError
        If a package that the format needs is not installed.
    OutputError
        If the folder cannot be written to.
    """
    require_for(to)
    original = original_of(model)
    return _convert(model, original, to, output_folder(Path(output)), sample)


def _convert(
    model: ModelFile, original: ModelFile, to: Format, folder: Path, sample: Sample
) -> Conversion:
    """Convert `original`, which is `model` with its weights in float32."""
    if to.endswith("int8"):
        calibration, positions = calibration_and_holdout(sample.labels, sample.groups)
        pixels, judged = sample.pixels[calibration], sample.of(positions)
    else:
        check_sample(sample.labels, what="the images to compare on")
        pixels, judged = sample.pixels[:0], sample
    say_what_is_known(judged, model.path.name)
    for left in folder.glob(".export-*.partial"):  # by an export that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".export-", suffix=".partial", dir=folder) as name:
        staged = [Path(name, model.path.stem + suffix) for suffix in FORMATS[to].suffixes]
        attempts = _attempts(original, to, staged, pixels, judged)
        if attempts[-1].violations:
            raise HonestyError(_refusal(model, to, attempts))
        metadata = read_any(staged[-1]).metadata
        parity: dict[str, object] = {
            "model": model.metadata.id,
            "model_bytes": len(model.graph),
            "format": to,
            "id": metadata.id,
            "precision": metadata.precision,
            "files": [path.name for path in staged],
            "bytes": attempts[-1].bytes,
            "engine": FORMATS[to].engine,
            "chosen": attempts[-1].name,
            "limits": FORMATS[to].limits.to_json(),
            "images_calibrated_on": len(pixels),
            "images_judged_on": len(judged),
            "of_these_seen_in_training": judged.known,
            "attempts": [attempt.to_json() for attempt in attempts],
            "versions": versions(PACKAGES),
            "machine": platform.machine(),
        }
        write_json(Path(name, PARITY), _merged(folder / PARITY, to, parity))
        for path in (*staged, Path(name, PARITY)):
            _publish(path, folder)
    return Conversion(folder / staged[-1].name, parity, tuple(attempts))


def _attempts(
    model: ModelFile, to: Format, staged: list[Path], pixels: NDArray[np.uint8], judged: Sample
) -> list[Attempt]:
    """Convert one way after the other until one passes; the files of the last one stay."""
    target = FORMATS[to]
    before = ask(open_engine(model, "onnxruntime"), judged.pixels)
    check_answered(judged.labels, before, model.metadata, judged.refused)
    attempts: list[Attempt] = []
    for way, write in _ways(model, to, pixels):
        say(f"Converting to {to}: {way} …")
        write(staged[-1])
        after = ask(open_engine(read_any(staged[-1]), target.engine), judged.pixels)
        parity = compare(
            before, after, labels=judged.labels, metadata=model.metadata, refused=judged.refused
        )
        against = violations(parity, target.limits)
        size = sum(path.stat().st_size for path in staged)
        attempts.append(Attempt(way, size, parity, against, proof(parity, target.limits)))
        if not against:
            break
        say(f"  refused: {'; '.join(against)}")
    return attempts


_LITERT_WAYS: Mapping[Format, tuple[str, Precision]] = {
    "litert": ("float32", "float32"),
    "litert-f16": ("weights as float16", "float16"),
    "litert-int8": ("weights only", "int8"),
}

Way = tuple[str, Callable[[Path], object]]


def _ways(model: ModelFile, to: Format, pixels: NDArray[np.uint8]) -> Iterator[Way]:
    """Yield name and writer of every way to convert, the best first."""

    def onnx(make: Callable[[], bytes], precision: Precision) -> Callable[[Path], object]:
        metadata = model.metadata.model_copy(update={"precision": precision})
        return lambda path: write_model(path, make(), metadata)

    if to == "onnx-f16":
        yield "weights as float16", onnx(lambda: to_float16(model.graph), "float16")
    elif to == "onnx-int8":
        for name, make in int8.ways(model.graph, pixels):
            yield name, onnx(make, "int8")
    elif to == "openvino":
        from tumorscope.conversion.openvino import write_openvino

        yield "float32", lambda path: write_openvino(model, path)
    else:
        from tumorscope.conversion.litert import write_litert

        if to == "litert-int8":
            yield (
                "per-channel",
                lambda path: write_litert(_quantised(model, pixels), path, precision="int8"),
            )
        name, precision = _LITERT_WAYS[to]
        yield name, lambda path: write_litert(model, path, precision=precision)


def _quantised(model: ModelFile, pixels: NDArray[np.uint8]) -> ModelFile:
    return replace(model, graph=int8.quantise(model.graph, pixels))


def _refusal(model: ModelFile, to: Format, attempts: list[Attempt]) -> str:
    reasons = ". ".join(f"{each.name}: {'; '.join(each.violations)}" for each in attempts)
    others = "onnx-f16" if to != "onnx-f16" else "the float32 original"
    none = (
        f"none of {len(attempts)} ways kept" if len(attempts) > 1 else "the only way did not keep"
    )
    last = attempts[-1].parity
    decisions = last.n if last.metrics is None else last.metrics.decisions
    return (
        f"{model.path} cannot be exported as {to}: {none} its decisions on "
        f"{decisions} images that it was not calibrated on. {reasons}. Nothing was "
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
        known = {name: item for name, item in document["formats"].items() if name in FORMATS}
    return {"formats": {**known, to: parity}}


def _publish(path: Path, folder: Path) -> None:
    with atomic_path(folder / path.name) as temporary:
        shutil.move(path, temporary)
