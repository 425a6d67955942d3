"""The two engines of a detector, opened when needed: one to answer soon, one to answer many."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

import cv2

from tumorscope.detection.engines import Engine, EngineName, open_engine
from tumorscope.model_file.onnx_file import ModelFile


@dataclass(slots=True)
class _Opened:
    """What a process has opened; engines have threads, which no fork and no pickle takes along."""

    before: _Opened | None = None
    """Of the process that this one was forked from: to close them would wait for their threads."""
    process: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    latency: Engine | None = None
    throughput: Engine | None = None


class EnginePair:
    """Engines for one model, each opened at its first use in each process; threads may share it.

    Parameters
    ----------
    model : ModelFile
        What they compute.
    name : {"onnxruntime", "openvino", "litert", "cuda"}
        Of the engine.
    threads : int
        How many cores to use.
    fast : bool
        See `tumorscope.detection.detector.Detector`.
    """

    def __init__(self, model: ModelFile, name: EngineName, *, threads: int, fast: bool) -> None:
        self._model, self._name = model, name
        self._threads, self._fast = threads, fast
        self._opened = _Opened()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._opened = _Opened()

    @property
    def latency(self) -> Engine:
        """Every core on one image: the shortest wait."""
        opened = self._of_this_process()
        with opened.lock:
            if opened.latency is None:
                opened.latency = self._open(threads=self._threads)
            return opened.latency

    @property
    def throughput(self) -> Engine:
        """One core per run, several runs side by side: the most images per second."""
        opened = self._of_this_process()
        with opened.lock:
            if opened.throughput is None:
                opened.throughput = self._open(threads=1)
            return opened.throughput

    def _of_this_process(self) -> _Opened:
        if self._opened.process != os.getpid():
            self._opened = _Opened(before=self._opened)
        return self._opened

    def _open(self, *, threads: int) -> Engine:
        # Every core has an image of its own. Threads of OpenCV, which slices are too small for,
        # would take the cores from the engine while they spin and wait for more.
        cv2.setNumThreads(1)
        return open_engine(self._model, self._name, threads=threads, fast=self._fast)
