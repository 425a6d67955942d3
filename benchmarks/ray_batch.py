"""Time a batch on Ray with one and with two workers, and watch memory over many files.

    python benchmarks/ray_batch.py --images FOLDER [--files 20000]

The files are copies of the images under other names, in nested folders. What is timed is the
batch alone, without the start of Ray; one and two workers take turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from tumorscope.common.csv_files import write_csv
from tumorscope.common.ray_cluster import connected
from tumorscope.detection.detector import Detector
from tumorscope.detection.ray_batch import detect_on_ray
from tumorscope.imaging.find import images_below

RESULTS = Path(__file__).parent / "results" / "ray_batch.csv"
MIB = 2**20
COLUMNS = (
    "files",
    "workers",
    "seconds",
    "images_per_second",
    "efficiency",
    "driver_mib_begin",
    "driver_mib_most",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--timed", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    images = list(images_below(options.images))
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copies(images, folder / "timed", options.timed)
        timed: dict[int, list[float]] = {1: [], 2: []}
        for number in range(options.rounds):
            for workers, seconds in timed.items():
                place = folder / f"out-{number}-{workers}"
                seconds.append(_seconds(folder / "timed", place, workers)[0])
        usual: dict[int, float] = {
            workers: statistics.median(seconds) for workers, seconds in timed.items()
        }
        rows += [
            {
                "files": options.timed,
                "workers": workers,
                "seconds": round(seconds, 2),
                "images_per_second": round(options.timed / seconds, 1),
                "efficiency": round(usual[1] / seconds / workers, 3),
            }
            for workers, seconds in usual.items()
        ]
        _copies(images, folder / "many", options.files)
        took, begin, most = _seconds(folder / "many", folder / "out-many", 2)
        rows.append(
            {
                "files": options.files,
                "workers": 2,
                "seconds": round(took, 2),
                "images_per_second": round(options.files / took, 1),
                "driver_mib_begin": begin,
                "driver_mib_most": most,
            }
        )
    for row in rows:
        print(row)
    write_csv(RESULTS, COLUMNS, rows)
    print(f"Wrote {RESULTS}")


def _memory() -> int:
    """Return the bytes in memory of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _copies(images: list[Path], folder: Path, count: int) -> None:
    for number in range(count):
        image = images[number % len(images)]
        place = folder / f"{number // 1000:03d}" / f"{number:06d}{image.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, place)


def _seconds(source: Path, place: Path, workers: int) -> tuple[float, int, int]:
    """Return the seconds of a batch, and the driver's memory before it and at most, in MiB."""
    # Two detectors would count the start of the second one.
    detector = Detector.load(threads=1)
    begin, most = 0, 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.2):
            most = max(most, _memory())

    with connected("local", workers=workers):
        begin = _memory()
        watcher = threading.Thread(target=watch)
        watcher.start()
        started = time.perf_counter()
        batch = detect_on_ray([source], output=place, detector=detector, workers=workers)
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
    assert batch.rows == sum(1 for _ in images_below(source)), "a row is lost or doubled"
    return seconds, begin // MIB, most // MIB


if __name__ == "__main__":
    main()
