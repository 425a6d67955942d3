"""Images in, findings out: one at a time, or a stream of any length in constant memory."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.cores import cores
from tumorscope.common.errors import InputError, UnreadableImageError, UsageError
from tumorscope.common.limits import MOST_THREADS, check_whole
from tumorscope.common.memory import IMAGES
from tumorscope.detection import rules
from tumorscope.detection.engine_pair import EnginePair
from tumorscope.detection.engines import Engine, EngineName, Outputs, engine_of
from tumorscope.detection.finding import Finding
from tumorscope.detection.in_runs import in_runs
from tumorscope.detection.ready import Ready
from tumorscope.detection.seen import SeenImages
from tumorscope.detection.telling import Telling
from tumorscope.imaging.inputs import Image, given, source_of
from tumorscope.imaging.preprocess import prepare
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.onnx_file import ModelFile, metadata_text
from tumorscope.model_file.other_formats import read_any
from tumorscope.model_file.schema import Metadata

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.scans import Plane, Volume

PACKAGED = Path(__file__).resolve().parents[1] / "models" / "default.onnx"

PACKAGED_NAME = "packaged"
"""What users write for `PACKAGED`."""

LOOK_AHEAD = 4
"""Tasks per thread that are begun ahead of their turn; half as many where each has several runs."""


def model_path(model: str | Path | None = None) -> Path:
    """Return where a model lies, as users name it.

    Parameters
    ----------
    model : path, optional
        None and "packaged" are the model in the package. A file or folder that is itself called
        packaged goes first. The folder of a run stands for the ``model.onnx`` in it.

    Raises
    ------
    InputError
        If that is asked for, and the package holds none.

    Examples
    --------
    >>> model_path().name, model_path("packaged") == PACKAGED
    ('default.onnx', True)
    """
    if model is not None and (str(model) != PACKAGED_NAME or Path(model).exists()):
        inside = Path(model) / "model.onnx"
        return inside if inside.is_file() else Path(model)
    if not PACKAGED.is_file():
        raise InputError(
            "No model was given, and this installation holds none. Expected the path of a "
            "model file. Give one that `tumorscope train` wrote: Detector.load(PATH), or "
            "--model PATH on the command line."
        )
    return PACKAGED


class Detector:
    """A loaded model that turns images into findings.

    Threads may share it. It can be copied, pickled and taken along by a fork, so worker processes
    may have it as well: each opens engines of its own at its first image. As every core then works
    at an image of its own, OpenCV's threads are switched off in the process (``cv2.setNumThreads``,
    by which you may have them again).

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.other_formats.read_any`.
    engine : {"onnxruntime", "openvino", "litert", "cuda"}, optional
        What computes the graph; by default what suits the file.
    operating_point : str
        Name of the operating point that decides; "balanced", "screening" and "specific" are usual.
    threads : int, optional
        How many cores to use; all by default.
    fast : bool
        Whether OpenVINO may compute in bfloat16 where the processor can: about twice as fast, and
        probabilities change, by more than a tenth in places. Other engines ignore it.
    check_seen : bool
        Whether to look if the model was trained on an image or a copy of it, which takes up to
        half of a detection where the model file is of version 2 of thumbprints, and little
        otherwise. Without, `Finding.seen` is None.

    Raises
    ------
    InputError
        If the graph is not that of a model file.
    UsageError
        If the engine or operating point is unknown, or the engine is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> detector = Detector.load()  # the packaged model
    >>> detector.detect(np.zeros((64, 64), np.uint8)).reasons
    ('blank',)
    >>> [found.decision for found in detector.detect_many([np.zeros((9, 9), np.uint8)])]
    ['refused']
    """

    def __init__(
        self,
        model: ModelFile,
        *,
        engine: EngineName | None = None,
        operating_point: str = "balanced",
        threads: int | None = None,
        fast: bool = False,
        check_seen: bool = True,
    ) -> None:
        if threads is not None:
            check_whole("threads", threads, at_least=1, at_most=MOST_THREADS)
        self._model, self._engine_name = model, engine_of(model, engine)
        self._how = model.metadata.preprocessing.preprocessing
        self._telling = Telling(
            model.metadata.id,
            operating_point,
            rules.rule_of(model.metadata, operating_point),
            model.metadata.input_check,
        )
        self.operating_point = operating_point
        self.threads, self.fast, self.check_seen = threads or cores(), fast, check_seen
        self._engines = EnginePair(model, self._engine_name, threads=self.threads, fast=self.fast)

    def __getstate__(self) -> dict[str, object]:
        # What can be made of the model again is not sent along: 20 MB of known images.
        return {name: value for name, value in self.__dict__.items() if name != "_known"}

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        engine: EngineName | None = None,
        operating_point: str = "balanced",
        threads: int | None = None,
        fast: bool = False,
        check_seen: bool = True,
    ) -> Detector:
        """Read a model file and make a detector of it.

        Parameters
        ----------
        model : path, optional
            An ``.onnx``, ``.xml`` (OpenVINO) or ``.tflite`` that tumorscope wrote; by default the
            model in the package, see `model_path`.
        engine, operating_point, threads, fast, check_seen
            See `Detector`.

        Raises
        ------
        InputError
            If the file cannot be used, or none is given and the package holds none.
        UsageError
            If the engine or operating point is unknown, or the engine is not installed.
        """
        return cls(
            read_any(model_path(model)),
            engine=engine,
            operating_point=operating_point,
            threads=threads,
            fast=fast,
            check_seen=check_seen,
        )

    @property
    def metadata(self) -> Metadata:
        """What the model file says about itself."""
        return self._model.metadata

    @property
    def model_id(self) -> str:
        """Name of the model and the first 12 digits of the hash of its graph."""
        return self._telling.model

    @property
    def zone(self) -> tuple[float, float]:
        """Between which probabilities the model abstains at its operating point."""
        return self._telling.rule.zone

    @property
    def engine(self) -> EngineName:
        """Name of the engine that computes."""
        return self._engine_name

    @cached_property
    def _described(self) -> str:
        """First digits of the hash of the metadata, whose text takes 15 ms to make."""
        return metadata_text(self.metadata)[1][:12]

    @property
    def identity(self) -> dict[str, object]:
        """What decides the answers: the model and all it says of itself, the point, the engine."""
        return {
            "model": self.model_id,
            "metadata": self._described,
            "operating_point": self.operating_point,
            "engine": self._engine_name,
            "precision": "bfloat16" if self.fast and self._engine_name == "openvino" else "float32",
            # Batches that were begun before there was a choice looked.
            **({} if self.check_seen else {"check_seen": False}),
        }

    def unpack(self) -> None:
        """Unpack the known images, so that processes which are forked from this one share them."""
        if self.check_seen:
            _ = self._known

    @cached_property
    def _known(self) -> SeenImages:
        return SeenImages(self.metadata.seen)

    def unlooking(self) -> Detector:
        """Return a detector that does not look whether images are known, on the same engines."""
        other = copy(self)
        other.check_seen = False
        return other

    def knows(self, scan: Slice) -> bool | None:
        """Return whether the model was trained on a slice or a copy of it; see `Finding.seen`."""
        return self._seen(scan, None)

    def _seen(self, scan: Slice, prepared: NDArray[np.uint8] | None) -> bool | None:
        return self._known.holds(scan, prepared) if self.check_seen else None

    def detect(self, image: Image) -> Finding:
        """Return the finding for one image, as fast as all cores together can.

        Parameters
        ----------
        image : path, bytes, array, Pillow image or Slice
            See `tumorscope.Image`. The same values in any of these have the same finding. Of 8
            bits they are taken as they are; uint16 and floating point are windowed first, so a
            picture of 8 bits that was converted to such values may have another finding.

        Raises
        ------
        UnreadableImageError
            If it is a file that cannot be read as an image, or an array that is empty or not
            finite.
        UsageError
            If it is of another type, or an array of another dtype or shape.
        """
        began = time.perf_counter()
        engine = self._engines.latency
        if self.threads == 1 or not self.check_seen:
            return self._findings(engine, [self._ready(image)], began)[0]
        scan, ready = self._checked(image)
        # The engine does not fill all cores at all times, and the look at known images takes one.
        with ThreadPoolExecutor(1, thread_name_prefix="tumorscope") as aside:
            seen = aside.submit(self._seen, scan, ready.pixels)
            outputs = None if ready.pixels is None else engine.run(ready.pixels[None])
            ready = replace(ready, seen=seen.result())
        return self._told([ready], outputs, began)[0]

    def detect_many(
        self, images: Iterable[Image], *, batch: int | None = None
    ) -> Iterator[Finding]:
        """Yield the findings for many images in their order, reading only a few ahead.

        Every core decodes, prepares and computes images of its own. A file that cannot be read
        becomes a finding with the decision "unreadable"; memory does not grow with their number.

        Parameters
        ----------
        images : iterable of path, bytes, array, Pillow image or Slice
            Consumed lazily; see `tumorscope.Image`.
        batch : int, optional
            How many images one run of the engine takes. By default 1 or, after the first few, 2
            where that changes no bit, so a finding does not depend on its neighbours. With 4,
            numbers differ in the seventh digit.

        Raises
        ------
        UsageError
            If `batch` is less than 1, or `images` is one image; while findings are handed out, if
            one of them is of another type, dtype or shape.
        """
        if isinstance(images, str | bytes | os.PathLike):
            raise UsageError(
                "detect_many received one image; expected a list or generator of images. Give "
                "[image], use detect, or list the images of a folder with pathlib.Path.glob."
            )
        if batch is not None:
            check_whole("batch", batch, at_least=1)
        return self._stream(iter(images), batch)

    def detect_series(
        self,
        source: Volume | str | os.PathLike[str],
        *,
        plane: Plane | None = None,
        every: float | None = 3.0,
        window: str = "percentile",
    ) -> SeriesFinding:
        """Return the finding for a volume, or the one series at a path; needs the extra “dicom”.

        Slices lie `every` mm apart, or as acquired; None asks about each. See `detect_study`.
        """
        from tumorscope.detection.looking import looking
        from tumorscope.detection.series import series_finding

        return series_finding(self, source, how=looking(plane=plane, every=every, window=window))

    def detect_together(
        self, images: Sequence[Image], *, batch: int | None = None
    ) -> list[Finding]:
        """Return what `detect_many` yields, by this thread alone; meant for some 16 images.

        All are read before the first is run. That takes a twelfth less time than one after the
        other, because the network empties the caches of what reads images, and of itself.

        Parameters
        ----------
        images : sequence of path, bytes, array, Pillow image or Slice
            All of them are held in memory as the network sees them; see `tumorscope.Image`.
        batch : int, optional
            See `detect_many`; by default as many are run together as changes no number.

        Raises
        ------
        UsageError
            If one of them is of another type, dtype or shape.
        """
        engine = self._engines.throughput
        return self._chunk(engine, images, batch or engine.at_once)

    def _stream(self, images: Iterator[Image], batch: int | None) -> Iterator[Finding]:
        engine = self._engines.throughput
        waiting: deque[Future[list[Finding]]] = deque()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="tumorscope")
        try:
            for taken, run in in_runs(images, batch, engine):
                waiting.append(pool.submit(self._chunk, engine, taken, run))
                ahead = LOOK_AHEAD if len(taken) <= run else LOOK_AHEAD // 2
                if len(waiting) >= ahead * self.threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _chunk(self, engine: Engine, images: Sequence[Image], batch: int) -> list[Finding]:
        began = time.perf_counter()
        ready: list[Ready] = []
        for image in images:
            try:
                ready.append(self._ready(image))
            except (UnreadableImageError, MemoryError) as error:
                ready.append(Ready.failed(source_of(image), error))
        each = (time.perf_counter() - began) / max(1, len(ready))
        found: list[Finding] = []
        for start in range(0, len(ready), batch):
            run = ready[start : start + batch]
            found += self._findings(engine, run, time.perf_counter() - each * len(run))
        return found

    def _ready(self, image: Image) -> Ready:
        with IMAGES.one_image():
            scan, ready = self._checked(image)
            return replace(ready, seen=self._seen(scan, ready.pixels))

    def _checked(self, image: Image) -> tuple[Slice, Ready]:
        scan, coloured, damaged = given(image)
        check = self.metadata.input_check
        reasons = rules.input_reasons(scan, check, coloured=coloured, damaged=damaged)
        pixels = None if reasons else prepare(scan, self._how)
        return scan, Ready(scan.source, reasons, None, pixels)

    def _findings(self, engine: Engine, ready: Sequence[Ready], began: float) -> list[Finding]:
        pixels = [item.pixels for item in ready if item.pixels is not None]
        return self._told(ready, engine.run(np.stack(pixels)) if pixels else None, began)

    def _told(self, ready: Sequence[Ready], outputs: Outputs | None, began: float) -> list[Finding]:
        ms = 1000.0 * (time.perf_counter() - began) / len(ready)
        return self._telling.findings(ready, outputs, ms)
