"""ONNX Runtime on an NVIDIA graphics card, for installations that have its build for them."""

from __future__ import annotations

import contextlib
import sys

from tumorscope.common.errors import UsageError
from tumorscope.detection.engines.base import EngineName
from tumorscope.detection.engines.onnxruntime import OnnxRuntime
from tumorscope.model_file.onnx_file import ModelFile

CUDA = "CUDAExecutionProvider"

INSTEAD = (
    'Install it in place of the other (pip uninstall onnxruntime, then pip install "onnxruntime-gpu'
    '[cuda,cudnn]>=1.21"), or leave the engine out to compute on the processor.'
)


class Cuda(OnnxRuntime):
    """An ONNX Runtime session on a graphics card; what has no place there runs on the processor.

    Parameters
    ----------
    model : ModelFile
        A checked ``.onnx`` file.
    threads : int
        How many threads one run uses of what is left for the processor.

    Raises
    ------
    UsageError
        If there is no card that ONNX Runtime can use: it would go on without, and say nothing.
    InputError
        As `OnnxRuntime` does.
    """

    name: EngineName = "cuda"
    # TF32 keeps 10 bits of each factor, so that probabilities would differ in the third digit.
    providers = ((CUDA, {"use_tf32": "0"}), "CPUExecutionProvider")

    def __init__(self, model: ModelFile, *, threads: int) -> None:
        import onnxruntime

        preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
        if preload is not None:
            with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
                preload()
        super().__init__(model, threads=threads)
        if CUDA not in self._session.get_providers():
            raise UsageError(
                "The engine cuda was asked for, and ONNX Runtime cannot use a graphics card here. "
                "Expected an NVIDIA card with its driver (see nvidia-smi), and the CUDA and cuDNN "
                f"of this onnxruntime-gpu. {INSTEAD}"
            )


def check_cuda() -> None:
    """Make sure that ONNX Runtime was built for graphics cards; whether there is one, runs show.

    Raises
    ------
    UsageError
        If it was not.
    """
    import onnxruntime

    offered = onnxruntime.get_available_providers()
    if CUDA not in offered:
        raise UsageError(
            "The engine cuda was asked for, and ONNX Runtime here computes with "
            f"{', '.join(offered)}. Expected {CUDA}, which the package onnxruntime-gpu has. "
            f"{INSTEAD}"
        )
