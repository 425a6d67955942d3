"""What every engine gives and takes, and the check that a graph keeps to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError

EngineName = Literal["onnxruntime", "openvino", "litert"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a graph computes for n images.

    Attributes
    ----------
    probability, logit, bias, distance : ndarray of float32, shape (n,)
        Calibrated probability (0 to 1), logit before calibration, its part that belongs to no
        place, and the distance from the training images.
    evidence : ndarray of float32, shape (n, h, w)
        ``evidence.sum((1, 2)) + bias == logit`` up to rounding.
    """

    probability: NDArray[np.float32]
    logit: NDArray[np.float32]
    evidence: NDArray[np.float32]
    bias: NDArray[np.float32]
    distance: NDArray[np.float32]


class Engine(Protocol):
    """Runs one graph. Threads may call `run` at the same time."""

    @property
    def name(self) -> EngineName:
        """Which engine it is."""
        ...

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Compute the outputs for images uint8 (n, size, size), n at least 1."""
        ...


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def outputs_of(values: Sequence[NDArray[np.float32]]) -> Outputs:
    """Make `Outputs` of arrays in the order of `tumorscope.model_file.schema.OUTPUTS`."""
    probability, logit, evidence, bias, distance = values
    return Outputs(probability, logit, evidence, bias, distance)


def refuse_graph(path: Path, received: str) -> InputError:
    """Return the error for a graph that does not keep to the contract of model files."""
    return InputError(
        f"Cannot use {path} as a model: {received}. Expected a graph with one input `pixels` "
        "(uint8 [n, size, size], of the size in its metadata) and the outputs probability, logit, "
        "evidence, bias and distance. Make the model again with `tumorscope train` or "
        "`tumorscope export`."
    )
