"""Time the packaged model: a folder, one file, a start, the look at known images, and waiting.

    python benchmarks/detection.py --data FOLDER [--beside PYTHON] [--keras] [--files N]

FOLDER holds JPEGs at any depth, best ones that the model was not trained on: training images are
told from others sooner, and it says how many there are. `--files` of them, copied under new names
if there are fewer, make the folder that whole processes of ``tumorscope predict`` turn into a
table. With --beside, the interpreter of an environment in which another build is installed, that
build does the same in turns with this one, with the model that is packaged in it. With --keras,
Keras does, on the same images: a network of the same shape, in batches of 32, its start not
counted. The engine alone, on ready tensors and as many of them at a time as there are cores, is the
limit. It writes benchmarks/results/detection.csv.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tumorscope.common.cores import cores
from tumorscope.common.csv_files import write_csv
from tumorscope.detection.detector import Detector, model_path
from tumorscope.detection.engines import open_engine
from tumorscope.duplicates.frequencies import frequencies
from tumorscope.duplicates.mark_sets import SPARE, MarkSets
from tumorscope.duplicates.marks import COUNT
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import read_any

RESULTS = Path(__file__).parent / "results" / "detection.csv"
OURS, BESIDE, KERAS, ENGINE = "this build", "beside", "Keras predict", "engine alone"
KNOWN = (10_000, 1_000_000)
MARKS_OF_EACH = 6
WAIT = 5.0

WORKER = """
import sys, time
from tumorscope.detection.detector import Detector
detector = Detector.load(sys.argv[1] or None)
for line in sys.stdin:
    path, wait = line.rstrip("\\n").rsplit("\\t", 1)
    began, cpu = time.perf_counter(), time.process_time()
    if path:
        detector.detect(path)
    time.sleep(float(wait))
    print(time.perf_counter() - began, time.process_time() - cpu, flush=True)
"""
"""A process that is told a path and how long to wait after it, and says how long both took."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds by the clock and of the processor, for so many images."""

    wall: float
    cpu: float
    images: int = 1


Contenders = Mapping[str, Callable[[int], Spent]]


class Worker:
    """A detector in a process of its own, of any build."""

    def __init__(self, python: str, model: str) -> None:
        self._process = subprocess.Popen(
            [python, "-c", WORKER, model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(python),
        )

    def ask(self, path: Path | str, wait: float = 0.0) -> Spent:
        """Detect in one file, then wait."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\t{wait}\n")
        self._process.stdin.flush()
        wall, cpu = map(float, self._process.stdout.readline().split())
        return Spent(1000 * wall, 1000 * cpu)

    def end(self) -> None:
        """Let the process end."""
        self._process.communicate()


def environment(python: str) -> dict[str, str]:
    """Return the variables for an interpreter: another build must not find this one's code."""
    kept = dict(os.environ)
    # A start as people have it, whose modules were compiled by the one before.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    if python != sys.executable:
        kept.pop("PYTHONPATH", None)
    return kept


def whole_process(_: int, *, python: str, model: str, paths: Sequence[Path], images: int) -> Spent:
    """Run ``tumorscope predict`` on files or a folder, from its start to its end."""
    with tempfile.TemporaryDirectory() as name:
        words = [python, "-m", "tumorscope", "predict", *map(str, paths), "--quiet"]
        words += ["-o", str(Path(name) / "findings.csv"), *(["--model", model] if model else [])]
        began = time.perf_counter()
        process = subprocess.Popen(words, env=environment(python))
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    if status:
        raise SystemExit(f"{python} -m tumorscope predict ended with status {status}")
    return Spent(1000 * wall, 1000 * (usage.ru_utime + usage.ru_stime), images)


def timed(work: Callable[[], int]) -> Spent:
    """Time something in this process; it says how many images it did."""
    began, cpu = time.perf_counter(), time.process_time()
    images = work()
    return Spent(1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu), images)


def engine_alone(model: ModelFile, images: Sequence[Path]) -> Callable[[int], Spent]:
    """Return what runs the engine on ready tensors, one run for each core."""
    engine, how = open_engine(model, threads=1), model.metadata.preprocessing.preprocessing
    ready = [prepare(read_slice(path), how)[None] for path in images]

    def work() -> int:
        with ThreadPoolExecutor(cores()) as pool:
            return sum(1 for _ in pool.map(engine.run, ready))

    return lambda _: timed(work)


class Keras:
    """A Keras network of the same shape; what it has learned does not change how long it takes."""

    def __init__(self, model: ModelFile) -> None:
        from tumorscope.networks.network import build
        from tumorscope.recipes.recipe import Recipe

        self._model = build(Recipe.parse(dict(model.metadata.recipe)))
        self._size = model.metadata.preprocessing.size

    def folder(self, folder: Path) -> Spent:
        """Predict a folder in batches, as Keras' documentation does."""
        import keras

        def work() -> int:
            data = keras.utils.image_dataset_from_directory(
                folder, labels=None, image_size=(self._size,) * 2, shuffle=False, verbose=False
            )
            scaled = data.map(lambda batch: batch / 127.5 - 1)
            return len(self._model.predict(scaled, verbose=0))

        return timed(work)

    def file(self, path: Path) -> Spent:
        """Predict one file."""
        import keras

        def work() -> int:
            image = keras.utils.load_img(path, target_size=(self._size,) * 2)
            pixels = keras.utils.img_to_array(image)[None] / 127.5 - 1
            return len(self._model.predict(pixels, verbose=0))

        return timed(work)


def in_turns(measure: str, contenders: Contenders, turns: int) -> list[dict[str, object]]:
    """Let contenders take turns after one that is not counted; return a record of each."""
    spent: dict[str, list[Spent]] = {name: [] for name in contenders}
    for turn in range(turns + 1):
        for name, work in contenders.items():
            each = work(turn)
            if turn:
                spent[name].append(each)
    medians = {
        name: statistics.median(each.wall / each.images for each in times)
        for name, times in spent.items()
    }
    return [record(measure, name, times, medians) for name, times in spent.items()]


def record(
    measure: str, name: str, times: Sequence[Spent], medians: Mapping[str, float]
) -> dict[str, object]:
    """Print and return a line: times per image, and how much longer the others take."""
    walls = [each.wall / each.images for each in times]
    p99 = float(np.percentile(walls, 99)) if len(walls) >= 50 else None
    cpu = statistics.median(each.cpu / each.images for each in times)
    beside, keras = (medians.get(other) for other in (BESIDE, KERAS))
    line: dict[str, object] = {
        "measure": measure,
        "contender": name,
        "n": len(times),
        "images": times[0].images,
        "median_ms": f"{medians[name]:.4g}",
        "least_ms": f"{min(walls):.4g}",
        "p99_ms": "" if p99 is None else f"{p99:.4g}",
        "cpu_ms": f"{cpu:.4g}",
        "per_second": f"{1000 / medians[name]:.4g}",
        "beside_over_this": "" if beside is None else f"{beside / medians[name]:.3g}",
        "keras_over_this": "" if keras is None else f"{keras / medians[name]:.3g}",
    }
    print("  ".join(f"{value!s:<16}" for value in line.values()), flush=True)
    return line


def copied(images: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Copy images to a folder without subfolders, again under new names until it holds enough."""
    folder.mkdir()
    made = []
    for number, path in zip(range(count), itertools.cycle(images), strict=False):
        made.append(folder / f"{number:05d}.jpg")
        shutil.copy(path, made[-1])
    return made


def known_images(model: ModelFile, paths: Sequence[Path]) -> list[dict[str, object]]:
    """Time the look at known images beside preparing and a whole detection, on one core."""
    scans = [read_slice(path) for path in paths]
    detector = Detector(model, threads=1)
    how = model.metadata.preprocessing.preprocessing
    prepared = [prepare(scan, how) for scan in scans]
    held = sum(detector.detect(path).seen is True for path in paths)
    print(
        f"The model was trained on {held} of the first {len(paths)} images, or on copies of them."
    )
    records = []
    for count in KNOWN:
        known = drawn(count)
        if count == KNOWN[0]:
            size = len(known.pack()) * 4 / 3
            print(f"{count:,} images known: {size / 2**20:.1f} MiB of a model file")

        def check(turn: int, *, search: MarkSets = known) -> Spent:
            asked = prepared[turn % len(scans)]
            return timed(lambda: len([search.holds(frequencies(asked))]))

        def prepare_one(turn: int) -> Spent:
            return timed(lambda: len([prepare(scans[turn % len(scans)], how)]))

        def detect(turn: int) -> Spent:
            return timed(lambda: len([detector.detect(paths[turn % len(paths)])]))

        contenders: Contenders = {
            "the check": check,
            "to prepare": prepare_one,
            "a detection, one core": detect,
        }
        records += in_turns(f"{count:,} images known", contenders, 200)
    return records


def drawn(count: int) -> MarkSets:
    """Return sets as so many images have them: some six marks of each image in each set."""
    rng = np.random.default_rng(0)
    bits = (MARKS_OF_EACH * count - 1).bit_length() + SPARE
    sets = [
        np.unique(rng.integers(0, 1 << bits, MARKS_OF_EACH * count, dtype=np.uint64))
        for _ in range(COUNT)
    ]
    return MarkSets.ready(0, bits, sets)


def waiting(workers: Mapping[str, Worker]) -> list[dict[str, object]]:
    """Measure how much of the processor a detector takes while nobody asks."""
    idle: Contenders = {
        name: lambda _, worker=worker: worker.ask("", WAIT)  # type: ignore[misc]
        for name, worker in workers.items()
    }
    return in_turns(f"waiting {WAIT:g} s after a detection", idle, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="", help="of this build; by default the packaged one")
    parser.add_argument("--beside", metavar="PYTHON", help="another build's interpreter")
    parser.add_argument("--keras", action="store_true")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    suffixes = {".jpg", ".jpeg"}
    images = sorted(p for p in arguments.data.rglob("*") if p.suffix.lower() in suffixes)
    if not images:
        raise SystemExit(f"{arguments.data} holds no JPEGs. Expected some, at any depth.")
    model = read_any(model_path(arguments.model or None))
    pythons = {OURS: (sys.executable, arguments.model)}
    if arguments.beside:
        pythons[BESIDE] = (arguments.beside, "")
    keras = Keras(model) if arguments.keras else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "scans"
        files = copied(images, folder, arguments.files)
        records = measured(model, folder, files, pythons, keras, arguments.passes)
        records += one_file(files, pythons, keras, arguments.repeats)
        records += known_images(model, files[:200])
    write_csv(arguments.output, tuple(records[0]), records)


def measured(
    model: ModelFile,
    folder: Path,
    files: Sequence[Path],
    pythons: Mapping[str, tuple[str, str]],
    keras: Keras | None,
    passes: int,
) -> list[dict[str, object]]:
    """Time the folder, and a start with one image, as whole processes."""

    def processes(paths: Sequence[Path], images: int) -> dict[str, Callable[[int], Spent]]:
        return {
            name: partial(whole_process, python=python, model=given, paths=paths, images=images)
            for name, (python, given) in pythons.items()
        }

    contenders = processes([folder], len(files))
    contenders[ENGINE] = engine_alone(model, files[:256])
    if keras is not None:
        contenders[KERAS] = lambda _: keras.folder(folder)
    records = in_turns("a folder, whole process", contenders, passes)
    return records + in_turns("a start, one file", processes(files[:1], 1), 3 * passes)


def one_file(
    files: Sequence[Path],
    pythons: Mapping[str, tuple[str, str]],
    keras: Keras | None,
    repeats: int,
) -> list[dict[str, object]]:
    """Time single files in processes that have started, and then how they wait."""
    workers = {name: Worker(python, given) for name, (python, given) in pythons.items()}
    contenders: dict[str, Callable[[int], Spent]] = {
        name: lambda turn, worker=worker: worker.ask(files[turn % len(files)])  # type: ignore[misc]
        for name, worker in workers.items()
    }
    if keras is not None:
        contenders[KERAS] = lambda turn: keras.file(files[turn % len(files)])
    try:
        return in_turns("one file", contenders, repeats) + waiting(workers)
    finally:
        for worker in workers.values():
            worker.end()


if __name__ == "__main__":
    main()
