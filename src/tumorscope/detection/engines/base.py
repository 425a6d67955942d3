"""What every engine gives and takes, and the error for a graph that does not."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.model_file.onnx_file import ModelFile

T = TypeVar("T")

EngineName = Literal["onnxruntime", "openvino", "litert", "cuda"]


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

    @property
    def at_once(self) -> int:
        """How many images a run had best take, of which each has the very numbers it has alone."""
        ...

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Compute the outputs for images uint8 (n, size, size), n at least 1."""
        ...


class Pool(Generic[T]):
    """A pool of things that each serve one thread at a time; more are made when all are lent."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        # Last in, first out: what was used last is warm.
        self._idle: queue.LifoQueue[T] = queue.LifoQueue()

    @contextlib.contextmanager
    def take(self) -> Iterator[T]:
        """Lend one; it comes back at the end of the block."""
        try:
            item = self._idle.get_nowait()
        except queue.Empty:
            item = self._make()
        try:
            yield item
        finally:
            self._idle.put(item)


def outputs_of(values: Sequence[NDArray[np.float32]], model: ModelFile, count: int) -> Outputs:
    """Make `Outputs` of arrays in the order of `tumorscope.model_file.schema.OUTPUTS`.

    Parameters
    ----------
    values : sequence of ndarray
        What the graph computed.
    model : ModelFile
        Whose graph.
    count : int
        For how many images.

    Raises
    ------
    InputError
        If they have other shapes than a model file's, or are no numbers: a probability outside 0
        to 1, or anything but the distance, which may be beyond all limits, that is not finite.
    """
    shapes = [each.shape for each in values]
    if shapes != [(count,), (count,), (count, *model.metadata.grid), (count,), (count,)]:
        raise refuse_graph(model.path, f"for {count} images its outputs have the shapes {shapes}")
    probability, logit, evidence, bias, distance = values
    # Not NaN either, of which nothing is so.
    if not ((probability >= 0.0) & (probability <= 1.0)).all():
        raise refuse_graph(model.path, f"its probabilities are {probability[:3].tolist()}")
    if not all(np.isfinite(each).all() for each in (logit, evidence, bias)):
        raise refuse_graph(model.path, "its evidence or logit is no number")
    return Outputs(probability, logit, evidence, bias, distance)


def one_by_one(
    run: Callable[[NDArray[np.uint8]], Sequence[NDArray[np.float32]]],
    pixels: NDArray[np.uint8],
    model: ModelFile,
) -> Outputs:
    """Run images uint8 (n, size, size) one after the other.

    Parameters
    ----------
    run : callable
        Takes uint8 (1, size, size) and returns arrays in the order of
        `tumorscope.model_file.schema.OUTPUTS`, which the next run may overwrite.
    pixels : ndarray of uint8, shape (n, size, size)
        n at least 1.
    model : ModelFile
        Whose graph it is.

    Raises
    ------
    InputError
        See `outputs_of`.
    """
    parts = [
        [np.array(value, dtype=np.float32) for value in run(pixels[index : index + 1])]
        for index in range(len(pixels))
    ]
    values = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return outputs_of(values, model, len(pixels))


def refuse_graph(path: Path, received: str) -> InputError:
    """Return the error for a graph that does not keep to the contract of model files."""
    return InputError(
        f"Cannot use {path} as a model: {received}. Expected a graph with one input `pixels` "
        "(uint8 [n, size, size], of the size in its metadata) and the outputs probability, logit, "
        "evidence, bias and distance. Make the model again with `tumorscope train` or "
        "`tumorscope export`."
    )
