"""Engines that run a model file's graph, behind one small interface."""

from __future__ import annotations

from tumorscope.common.cores import cores
from tumorscope.common.errors import UsageError
from tumorscope.common.extras import require
from tumorscope.detection.engines.base import Engine, EngineName, Outputs
from tumorscope.model_file.onnx_file import ModelFile

__all__ = ["ENGINES", "Engine", "EngineName", "Outputs", "engine_of", "open_engine"]

ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino", "litert", "cuda")

MADE_FOR: dict[str, EngineName] = {".xml": "openvino", ".tflite": "litert"}
"""Endings of model files that only one engine reads; the other engines read the others."""


def open_engine(
    model: ModelFile,
    name: EngineName | None = None,
    *,
    threads: int | None = None,
    fast: bool = False,
) -> Engine:
    """Load a model file's graph into an engine.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.other_formats.read_any`.
    name : {"onnxruntime", "openvino", "litert", "cuda"}, optional
        Which engine; by default the one that the file was made for.
    threads : int, optional
        How many threads one run uses; all cores by default.
    fast : bool
        Whether OpenVINO may compute in bfloat16, see there; the other engines ignore it.

    Raises
    ------
    InputError
        If the graph is not that of a model file.
    UsageError
        If the engine is unknown, not installed, or does not read this kind of file.
    """
    name = engine_of(model, name)
    threads = threads or cores()
    if name == "openvino":
        from tumorscope.detection.engines.openvino import OpenVino

        return OpenVino(model, threads=threads, fast=fast)
    if name == "litert":
        from tumorscope.detection.engines.litert import LiteRt

        return LiteRt(model, threads=threads)
    if name == "cuda":
        from tumorscope.detection.engines.cuda import Cuda

        return Cuda(model, threads=threads)
    from tumorscope.detection.engines.onnxruntime import OnnxRuntime

    return OnnxRuntime(model, threads=threads)


def engine_of(model: ModelFile, name: EngineName | None = None) -> EngineName:
    """Return which engine runs a model file: the one named, or the one that the file is for.

    It is not loaded, so that what is wrong can be said before any work.

    Raises
    ------
    UsageError
        If the engine is unknown, not installed, or does not read this kind of file.
    """
    only = MADE_FOR.get(model.path.suffix.lower())
    name = name or only or "onnxruntime"
    if name not in ENGINES:
        raise UsageError(f"Unknown engine {name!r}. Expected one of {', '.join(ENGINES)}.")
    if name != only and (only or name == "litert"):
        raise UsageError(
            f"The engine {name} cannot run {model.path}. Expected "
            f"{only or 'onnxruntime, openvino or cuda'} for such a file. Leave the engine out, or "
            "make a file for it with `tumorscope export`."
        )
    if name == "cuda":
        from tumorscope.detection.engines.cuda import check_cuda

        check_cuda()
    elif name != "onnxruntime":
        require(name, to=f"run a model with the engine {name}")
    return name
