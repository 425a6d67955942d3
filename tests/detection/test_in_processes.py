"""Processes answer a stream as threads do, and whatever ends one of them loses nothing."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar
from unittest import mock

import numpy as np
import onnxruntime
import pytest
from PIL import Image as pillow
from tests.fixtures.forked import forked

import tumorscope.cli.predict
import tumorscope.cli.predict_files
from tumorscope.cli.app import run
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import InputError
from tumorscope.common.memory import IMAGES, LEAST, MIB
from tumorscope.detection import in_processes
from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding
from tumorscope.detection.in_processes import AHEAD, CHUNK, begin
from tumorscope.detection.journal import ResultLog
from tumorscope.detection.worker_process import Chunk, WorkerProcess
from tumorscope.imaging.inputs import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are sound on Linux only")

FILES = 64

LOADED = (onnxruntime, tumorscope.cli.predict, tumorscope.cli.predict_files)
"""What every process that is forked here would else load anew."""


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Distinct pictures, dark and bright, and some broken ones."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    for number in range(FILES):
        path = folder / f"{number:03d}.png"
        if number % 10 == 7:
            path.write_bytes(b"\x89PNG no more")
        else:
            pixels = rng.integers(0, 150 + number, (6, 6), dtype=np.uint8)
            pillow.fromarray(pixels.repeat(16, 0).repeat(16, 1)).save(path, compress_level=1)
    return folder


def told_by(work: Callable[..., object], *args: object) -> list[object]:
    """Return what a function tells in a process that has one thread, as a command has."""
    process, hear = forked(work, *args)
    told = []
    with contextlib.suppress(EOFError):
        while True:
            told.append(hear.recv())
    process.join()
    assert process.exitcode == 0
    return told


def same(finding: Finding) -> dict[str, object]:
    """Return all of a finding that is not the time it took."""
    values = {each.name: getattr(finding, each.name) for each in fields(finding)}
    evidence = values["evidence"]
    return {**values, "ms": None, "evidence": None if evidence is None else evidence.tobytes()}


def paths_in(scans: Path) -> list[Path]:
    return sorted(scans.iterdir())


def compare(model: Path, scans: Path, batch: int | None, told: Connection) -> None:
    detector, paths = Detector.load(model, threads=2), sorted(scans.iterdir())
    with begin(detector) or contextlib.nullcontext() as processes:
        assert processes is not None
        told.send(IMAGES.limit)
        there = [same(each) for each in processes.detect_many(paths, batch=batch)]
        told.send(IMAGES.limit)
    here = Detector.load(model, threads=1).detect_many(paths, batch=batch)
    told.send(there == [same(each) for each in here])
    told.send([Path(str(each["source"])).name for each in there] == [each.name for each in paths])
    told.send({each["decision"] for each in there})


@pytest.mark.parametrize("batch", [None, 5])
def test_findings_are_those_of_threads_in_their_order(
    tiny_model: Path, scans: Path, batch: int | None
) -> None:
    meanwhile, after, equal, ordered, decisions = told_by(compare, tiny_model, scans, batch)
    assert equal
    assert ordered
    assert decisions == {"tumour", "no tumour", "abstain", "unreadable"}
    assert (meanwhile, after) == (512 * MIB, 1024 * MIB)  # shared by them, not multiplied


class Failing(Detector):
    """Fails in processes: it ends them, raises what a pickle holds, or what none holds."""

    kind = "killed"
    here = 0

    def detect_together(
        self, images: Sequence[Image], *, batch: int | None = None
    ) -> list[Finding]:
        if os.getpid() != self.here and any(str(each).endswith("050.png") for each in images):
            if self.kind == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "raises":
                raise InputError("as it would here")
            raise type("Local", (Exception,), {})("of a type that nobody else knows")
        return super().detect_together(images, batch=batch)


def fail(model: Path, scans: Path, kind: str, told: Connection) -> None:
    detector, paths = Failing.load(model, threads=2), sorted(scans.iterdir())
    assert isinstance(detector, Failing)
    detector.kind, detector.here = kind, os.getpid()
    with mock.patch.object(in_processes, "say", told.send):
        with begin(detector) or contextlib.nullcontext() as processes:
            assert processes is not None
            try:
                found = [same(each) for each in processes.detect_many(paths)]
            except Exception as error:
                told.send((type(error), str(error), bool(getattr(error, "__notes__", ()))))
            else:
                here = Detector.load(model, threads=1).detect_many(paths)
                told.send(found == [same(each) for each in here])
        told.send(len(multiprocessing.active_children()))


def test_a_killed_process_loses_nothing_and_words_say_so(tiny_model: Path, scans: Path) -> None:
    said, equal, left = told_by(fail, tiny_model, scans, "killed")
    assert "was ended by SIGKILL" in str(said)
    assert equal
    assert left == 0


def test_what_a_process_raises_is_raised_here(tiny_model: Path, scans: Path) -> None:
    error, left = told_by(fail, tiny_model, scans, "raises")
    assert error == (InputError, "as it would here", True)
    assert left == 0
    error, left = told_by(fail, tiny_model, scans, "unknown")
    assert error == (RuntimeError, "Local: of a type that nobody else knows", False)
    assert left == 0


def take_much(model: Path, scans: Path, large: Path, told: Connection) -> None:
    IMAGES.limit = 6 * MIB
    detector, few = Detector.load(model, threads=8), sorted(scans.iterdir())[:40]
    with (
        mock.patch.object(in_processes, "LEAST", 2 * MIB),
        begin(detector, drawing=True) or contextlib.nullcontext() as processes,
    ):
        assert processes is not None
        told.send((len(multiprocessing.active_children()), IMAGES.limit))
        found = list(processes.detect_many([*few[:20], large, *few[20:]]))
        told.send((len(found), found[20].decision, found[20].unreadable, IMAGES.limit))


def test_an_image_that_needs_more_than_a_share_is_looked_at(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    pillow.new("RGB", (400, 400), (90, 90, 90)).save(large)
    begun, found = told_by(take_much, tiny_model, scans, large)
    assert begun == (2, 2 * MIB)  # of eight that were allowed: this process has a share too
    assert found == (41, "refused", "", 6 * MIB)


class Here:
    """In place of a process: answers when it is asked for its answer, with the names of files."""

    asked: ClassVar[list[int]] = []
    chance = random.Random(0)

    def __init__(self, *_: object, **__: object) -> None:
        self.process, self.chunks = mock.Mock(), deque[Chunk]()
        self.answers, self._ready = multiprocessing.Pipe(duplex=False)

    def ask(self, chunk: Chunk, **_: object) -> None:
        self.chunks.append(chunk)
        assert len(self.chunks) <= AHEAD
        self.asked.append(len(chunk.paths))
        self._ready.send(None)

    def take(self) -> None:
        if self.chance.random() < 0.7:  # others go on before
            return
        self.answers.recv()
        chunk = self.chunks.popleft()
        chunk.findings = list(chunk.paths)

    def end(self) -> None:
        self.process.join()


@pytest.mark.parametrize("batch", [None, 1, 5, 40])
def test_few_files_are_handed_over_ahead_and_in_whole_runs(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int | None
) -> None:
    (tmp_path / "one thread").touch()
    monkeypatch.setattr(in_processes, "_THREADS", tmp_path)
    monkeypatch.setattr(in_processes, "threading", mock.Mock(active_count=lambda: 1))
    monkeypatch.setattr(WorkerProcess, "fork", Here)
    monkeypatch.setattr(Here, "asked", [])
    paths, taken = [Path(str(number)) for number in range(1234)], 0

    def listed() -> Iterator[Path]:
        nonlocal taken
        for taken, path in enumerate(paths, 1):  # noqa: B007
            yield path

    with begin(Detector.load(tiny_model, threads=3)) or contextlib.nullcontext() as processes:
        assert processes is not None
        found: list[object] = []
        for each in processes.detect_many(listed(), batch=batch):
            found.append(each)
            assert taken <= len(found) + 2 * AHEAD * 3 * max(CHUNK, batch or 0)
    assert found == paths
    assert all(size % (batch or CHUNK) == 0 for size in Here.asked[:-1])


def not_begun(model: Path, folder: Path, told: Connection) -> None:
    detector = Detector.load(model, threads=2)
    fork = WorkerProcess.fork

    def once(detector: Detector, *, share: int, others: Sequence[WorkerProcess]) -> WorkerProcess:
        if others:
            raise OSError(errno.EAGAIN, "no more processes")
        return fork(detector, share=share)

    with mock.patch.object(WorkerProcess, "fork", once):
        told.send((begin(detector), multiprocessing.active_children(), IMAGES.limit))
    with mock.patch.object(in_processes, "_THREADS", folder):  # threads that nobody stopped
        told.send((begin(detector), multiprocessing.active_children(), IMAGES.limit))


def test_where_a_fork_fails_or_would_not_be_sound_there_are_threads(
    tiny_model: Path, scans: Path
) -> None:
    assert told_by(not_begun, tiny_model, scans) == [(None, [], 1024 * MIB)] * 2


def test_where_processes_cannot_serve_none_is_forked(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerProcess, "fork", None)
    detector = Detector.load(tiny_model, threads=2)
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    assert begin(detector) is None
    ended.set()
    other.join()
    assert begin(Detector.load(tiny_model, threads=1)) is None
    monkeypatch.setattr(in_processes, "_THREADS", Path("nowhere"))
    assert begin(detector) is None
    monkeypatch.setattr(IMAGES, "limit", LEAST)
    assert begin(detector) is None


def begins(model: Path) -> bool:
    return begin(Detector.load(model, threads=2)) is not None


def ask_a_pool(model: Path, told: Connection) -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        told.send(pool.apply(begins, (model,)))


def test_a_process_of_a_pool_may_begin_none(tiny_model: Path) -> None:
    assert told_by(ask_a_pool, tiny_model) == [False]


def predict(words: list[str], told: Connection) -> None:
    """Run a command in a process that has one thread; tell its processes and what is finished."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    append = ResultLog.append

    def slow(self: ResultLog, record: Mapping[str, object]) -> None:
        append(self, record)
        if "--resume" not in words:
            told.send([each.pid for each in multiprocessing.active_children()])
            time.sleep(0.005)

    with mock.patch.object(ResultLog, "append", slow), mock.patch.object(in_processes, "MANY", 4):
        sys.exit(run(words))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_a_command_ends_its_processes_and_what_was_finished_is_kept(
    tiny_model: Path, scans: Path, tmp_path: Path, number: signal.Signals
) -> None:
    def words(name: str) -> list[str]:
        threads = "2" if name == "here" else "1"
        asked = ["predict", str(scans), "--model", str(tiny_model), "--threads", threads, "--quiet"]
        return [*asked, "-o", str(tmp_path / name / "findings.csv")]

    process, hear = forked(predict, words("here"))
    pids, *_ = [hear.recv() for _ in range(20)]
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == (130 if number == signal.SIGINT else -number)
    assert len(pids) == 2
    assert not any(is_running(pid) for pid in pids)
    assert len((tmp_path / "here" / "findings.csv.log").read_bytes().splitlines()) > 20
    if number == signal.SIGKILL:
        process, _ = forked(predict, [*words("here"), "--resume"])
        process.join()
        assert process.exitcode == 4
        assert run(words("threads")) == 4
        assert files(tmp_path / "here") == files(tmp_path / "threads")


def test_a_table_of_parquet_keeps_no_process_from_beginning(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    """Its library has threads, and must not be loaded before."""
    pytest.importorskip("pyarrow", reason="needs the parquet extra")
    words = ["predict", *map(str, sorted(scans.iterdir())[:6]), "--model", str(tiny_model)]
    process, hear = forked(
        predict, [*words, "--threads", "2", "--quiet", "-o", str(tmp_path / "t.parquet")]
    )
    assert len(hear.recv()) == 2
    process.join()
    assert process.exitcode == 0


def files(folder: Path) -> dict[str, object]:
    """Return what lies in a folder, of tables all but the time that each row took."""
    return {
        str(path.relative_to(folder)): content(path) for path in folder.rglob("*") if path.is_file()
    }


def content(path: Path) -> object:
    table = path.suffix == ".csv"
    return [{**row, "ms": ""} for row in read_csv(path)] if table else path.read_bytes()


def is_running(pid: int) -> bool:
    """Return whether a process is there a second later."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.01)
    return True
