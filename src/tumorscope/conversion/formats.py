"""The formats that a model file can be exported to, and what each of them must hold to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tumorscope.common.extras import Extra, require
from tumorscope.conversion.parity import Limits
from tumorscope.detection.engines import EngineName

Format = Literal["onnx-f16", "onnx-int8", "openvino", "litert", "litert-f16", "litert-int8"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is written in one format, and what it is compared by.

    Attributes
    ----------
    suffixes : tuple of str
        What the files add to the stem of the model's name; the last is the one to open.
    engine : str
        That runs it.
    limits : Limits
        How far it may be from the original.
    extras : tuple of str
        Of the package, that are needed to write and to run it.
    modules : tuple of str
        The ones of these extras that are used.
    """

    suffixes: tuple[str, ...]
    engine: EngineName
    limits: Limits
    extras: tuple[Extra, ...] = ("train",)
    modules: tuple[str, ...] = ("onnx",)


_LITERT: tuple[tuple[Extra, ...], tuple[str, ...]] = (
    ("train", "litert"),
    ("tensorflow", "onnx", "ai_edge_litert"),
)

FORMATS: Mapping[Format, Target] = {
    "onnx-f16": Target(("-f16.onnx",), "onnxruntime", Limits(probability=0.01)),
    "onnx-int8": Target(("-int8.onnx",), "onnxruntime", Limits()),
    # In this order: the .xml is of use only beside its .bin.
    "openvino": Target(
        (".bin", ".xml"), "openvino", Limits(probability=1e-3), ("openvino",), ("openvino",)
    ),
    "litert": Target((".tflite",), "litert", Limits(probability=1e-3), *_LITERT),
    "litert-f16": Target(("-f16.tflite",), "litert", Limits(probability=0.01), *_LITERT),
    "litert-int8": Target(("-int8.tflite",), "litert", Limits(), *_LITERT),
}


def require_for(to: Format) -> None:
    """Make sure that what a format needs is installed, before anything is read or converted.

    Raises
    ------
    MissingExtraError
        If it is not.
    """
    target = FORMATS[to]
    require(*target.extras, to=f"export to {to}", only=target.modules)
