"""ONNX Runtime: the engine of the base install."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.detection.engines.base import EngineName, Outputs, outputs_of, refuse_graph
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.schema import OUTPUTS


class OnnxRuntime:
    """An ONNX Runtime session on the processor.

    Parameters
    ----------
    model : ModelFile
        A checked ``.onnx`` file.
    threads : int
        How many threads one run uses.

    Raises
    ------
    InputError
        If the graph cannot be loaded or has other inputs or outputs than a model file.
    """

    name: EngineName = "onnxruntime"
    providers: Sequence[str | tuple[str, dict[str, str]]] = ("CPUExecutionProvider",)

    def __init__(self, model: ModelFile, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that spin while they wait take the cores from those that decode: a run on a quiet
        # machine takes a quarter less time with spinning, on a busy one twice as much.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model.graph, options, providers=list(self.providers), enable_fallback=0
            )
        except Exception as error:  # its exceptions share no base class
            raise refuse_graph(model.path, f"ONNX Runtime cannot load it ({error})") from error
        inputs, size = self._session.get_inputs(), model.metadata.preprocessing.size
        if (
            len(inputs) != 1
            or inputs[0].type != "tensor(uint8)"
            or list(inputs[0].shape[1:]) != [size, size]
        ):
            found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
            raise refuse_graph(model.path, f"its inputs are {found or 'none'}")
        outputs = tuple(item.name for item in self._session.get_outputs())
        if outputs != OUTPUTS:
            raise refuse_graph(model.path, f"its outputs are {', '.join(outputs)}")
        self._input, self._model = inputs[0].name, model

    @cached_property
    def at_once(self) -> int:
        """Two where a run of two gives the very numbers of two runs, and else 1.

        Two take a twelfth less time: weights are fetched from memory once. Whether sums are added
        in another order then is decided by the kernels for this graph and processor, not by the
        images, so it is tried out on two. It is four, here, from which on they are.
        """
        size = self._model.metadata.preprocessing.size
        pixels = np.random.default_rng(0).integers(0, 256, (2, size, size), dtype=np.uint8)
        together = self._session.run(OUTPUTS, {self._input: pixels})
        alone = [self._session.run(OUTPUTS, {self._input: each[None]}) for each in pixels]
        same = all(
            np.array_equal(both[index], one[0], equal_nan=True)
            for index, each in enumerate(alone)
            for both, one in zip(together, each, strict=True)
        )
        return 2 if same else 1

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Compute the outputs for images uint8 (n, size, size), n at least 1."""
        values = self._session.run(OUTPUTS, {self._input: pixels})
        return outputs_of(values, self._model, len(pixels))
