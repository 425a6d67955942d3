"""LiteRT (TensorFlow Lite): the engine of the extra “litert”, and of phones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.streams import quiet_libraries
from tumorscope.common.words import one_line
from tumorscope.detection.engines.base import (
    EngineName,
    Outputs,
    Pool,
    one_by_one,
    refuse_graph,
)
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.schema import OUTPUTS


class LiteRt:
    """LiteRT interpreters, one for each run that goes on at the same time.

    An interpreter serves one thread and one image at a time. Those beyond the first are made when
    they are needed; each holds weights of its own.

    Parameters
    ----------
    model : ModelFile
        A checked ``.tflite`` file.
    threads : int
        How many threads one run uses.

    Raises
    ------
    InputError
        If the graph cannot be loaded or has other inputs or outputs than a model file.
    UsageError
        If LiteRT is not installed.
    """

    name: EngineName = "litert"
    at_once = 1

    def __init__(self, model: ModelFile, *, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        size = model.metadata.preprocessing.size

        def make() -> tuple[Any, int, list[int]]:
            try:
                with quiet_libraries(b"INFO:"):  # that it uses XNNPACK, once per process
                    interpreter = Interpreter(model_content=model.graph, num_threads=threads)
                    return interpreter, *_ends(model, interpreter, size)
            except (ValueError, RuntimeError) as error:
                said = one_line(error)
                raise refuse_graph(model.path, f"LiteRT cannot load it ({said})") from error

        self._model = model
        self._interpreters = Pool(make)
        with self._interpreters.take():
            pass  # what cannot be loaded is refused now, not at the first image

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Compute the outputs for images uint8 (n, size, size), n at least 1."""
        with self._interpreters.take() as (interpreter, entry, exits):

            def run_one(image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
                interpreter.set_tensor(entry, image)
                interpreter.invoke()
                return [interpreter.get_tensor(index) for index in exits]

            return one_by_one(run_one, pixels, self._model)


def _ends(model: ModelFile, interpreter: Any, size: int) -> tuple[int, list[int]]:
    """Return the tensors of the input and of the outputs in the order of `OUTPUTS`."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if (
        len(inputs) != 1
        or inputs[0]["dtype"] is not np.uint8
        or list(inputs[0]["shape_signature"][1:]) != [size, size]
    ):
        found = ", ".join(
            f"{each['name']} {each['dtype'].__name__} {each['shape_signature'].tolist()}"
            for each in inputs
        )
        raise refuse_graph(model.path, f"its inputs are {found or 'none'}")
    # Converters rename tensors; the names that a caller sees are those of the signature.
    signatures = interpreter.get_signature_list()
    named = next(iter(signatures.values()))["outputs"] if signatures else []
    if sorted(named) != sorted(OUTPUTS) or len(outputs) != len(OUTPUTS):
        raise refuse_graph(model.path, f"its outputs are {', '.join(named) or 'unnamed'}")
    entry = inputs[0]["index"]
    interpreter.resize_tensor_input(entry, [1, size, size])
    interpreter.allocate_tensors()
    details = interpreter.get_signature_runner(next(iter(signatures))).get_output_details()
    return entry, [details[name]["index"] for name in OUTPUTS]
