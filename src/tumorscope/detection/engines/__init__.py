"""Engines that run a model file's graph, behind one small interface."""

from __future__ import annotations

from tumorscope.common.errors import UsageError
from tumorscope.detection.engines.base import Engine, EngineName, Outputs, cores
from tumorscope.model_file.container import ModelFile

__all__ = ["ENGINES", "Engine", "EngineName", "Outputs", "cores", "open_engine"]

ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino", "litert")


def open_engine(
    model: ModelFile, name: EngineName | None = None, *, threads: int | None = None
) -> Engine:
    """Load a model file's graph into an engine.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.container.read_model`.
    name : {"onnxruntime", "openvino", "litert"}, optional
        Which engine; by default ONNX Runtime.
    threads : int, optional
        How many threads one run uses; all cores by default.

    Raises
    ------
    InputError
        If the graph is not that of a model file.
    UsageError
        If the engine is unknown, not installed, or does not read this kind of file.
    """
    if name in (None, "onnxruntime"):
        from tumorscope.detection.engines.onnxruntime import OnnxRuntime

        return OnnxRuntime(model, threads=threads or cores())
    raise UsageError(f"Unknown engine {name!r}. Expected one of {', '.join(ENGINES)}.")
