"""OpenVINO: the engine of the extra “openvino”."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.words import one_line
from tumorscope.detection.engines.base import (
    EngineName,
    Outputs,
    Pool,
    one_by_one,
    refuse_graph,
)
from tumorscope.model_file.onnx_file import ModelFile, without_metadata
from tumorscope.model_file.schema import OUTPUTS


class OpenVino:
    """A network that OpenVINO compiled for this processor.

    It is compiled for one image, and images of a batch run one after the other: measured here that
    is as fast as one run of all of them, a single image is faster, and memory does not grow.

    Parameters
    ----------
    model : ModelFile
        A checked ``.onnx`` or ``.xml`` file.
    threads : int
        How many threads one run uses; runs of several threads go on beside each other.
    fast : bool
        Whether to compute in bfloat16 where the processor can: about twice as fast, and
        probabilities differed from those of float32 by up to 0.13 on 64 public images.

    Raises
    ------
    InputError
        If the graph cannot be loaded or has other inputs or outputs than a model file.
    UsageError
        If OpenVINO is not installed.
    """

    name: EngineName = "openvino"
    at_once = 1

    def __init__(self, model: ModelFile, *, threads: int, fast: bool = False) -> None:
        import openvino

        core, size = openvino.Core(), model.metadata.preprocessing.size
        try:
            network = (
                core.read_model(model.graph, model.weights)
                if model.weights
                else core.read_model(without_metadata(model.graph))
            )
        except Exception as error:  # RuntimeError today, by any other name tomorrow
            raise refuse_graph(
                model.path, f"OpenVINO cannot load it ({one_line(error)})"
            ) from error
        _check(model, network, size)
        network.reshape([1, size, size])
        brain_float = fast and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        how = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if brain_float else "f32",
        }
        # Each run that goes on beside others has a network of its own: with one for all of them in
        # several streams, one start in some 40 waited without end (2026.4).
        self._model = model
        self._requests: Pool[Any] = Pool(
            lambda: core.compile_model(network, "CPU", how).create_infer_request()
        )
        with self._requests.take():  # the first is made at once, and what it costs paid here
            pass

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Compute the outputs for images uint8 (n, size, size), n at least 1."""
        with self._requests.take() as request:

            def run_one(image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
                results = request.infer({0: image}, share_inputs=True)
                return [results[index] for index in range(len(OUTPUTS))]

            return one_by_one(run_one, pixels, self._model)


def _check(model: ModelFile, network: Any, size: int) -> None:
    inputs = [
        f"{each.any_name} {each.element_type.get_type_name()} {each.partial_shape}"
        for each in network.inputs
    ]
    shapes = [each.partial_shape for each in network.inputs]
    if (
        len(inputs) != 1
        or network.inputs[0].element_type.get_type_name() != "u8"
        or len(shapes[0]) != 3
        or [str(shapes[0][axis]) for axis in (1, 2)] != [str(size)] * 2
    ):
        raise refuse_graph(model.path, f"its inputs are {', '.join(inputs) or 'none'}")
    outputs = [each.names for each in network.outputs]
    if len(outputs) != len(OUTPUTS) or any(
        name not in names for name, names in zip(OUTPUTS, outputs, strict=True)
    ):
        named = ", ".join("/".join(sorted(names)) for names in outputs)
        raise refuse_graph(model.path, f"its outputs are {named or 'none'}")
