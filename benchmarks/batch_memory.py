"""Show that the memory of a batch does not grow with the number of files.

    python benchmarks/batch_memory.py --model MODEL.onnx [--image FILE]

writes benchmarks/results/batch_memory.csv: peak memory of ``tumorscope predict`` and its processes
over 1,000 and 20,000 hard links to one image, and images per second. What processes share counts
once, as Linux tells it (Pss), so this runs on Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tumorscope.common.csv_files import write_csv
from tumorscope.synthetic.phantom import write_phantom_cohort

RESULTS = Path(__file__).parent / "results" / "batch_memory.csv"
COUNTS = (1_000, 20_000)


def sizes_of(process: int) -> list[float]:
    """Return the MiB of a process and of those that it began."""
    sizes = []
    with contextlib.suppress(OSError, KeyError):  # one of them has ended
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        for number in (str(process), *children):
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            values = dict(line.split(":", 1) for line in lines[1:])
            sizes.append(int(values["Pss"].split()[0]) / 1024)
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args()
    records = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = arguments.image
        if image is None:
            write_phantom_cohort(folder / "phantoms", n=2, seed=0)
            image = next((folder / "phantoms" / "yes").iterdir())
        for count in COUNTS:
            scans = folder / str(count)
            scans.mkdir()
            first = scans / f"000000{image.suffix}"
            first.write_bytes(image.read_bytes())
            for number in range(1, count):
                os.link(first, scans / f"{number:06d}{image.suffix}")
            command = [sys.executable, "-m", "tumorscope", "predict", str(scans), "--quiet"]
            command += ["--model", str(arguments.model), "-o", str(folder / f"{count}.csv")]
            began = time.perf_counter()
            process = subprocess.Popen(command)
            peak, count_of_processes = 0.0, 1
            while process.poll() is None:
                sizes = sizes_of(process.pid)
                peak, count_of_processes = max((peak, count_of_processes), (sum(sizes), len(sizes)))
                time.sleep(0.05)
            seconds = time.perf_counter() - began
            if process.returncode != 0:
                raise SystemExit(f"tumorscope predict ended with status {process.returncode}")
            records.append(
                {
                    "files": count,
                    "processes": count_of_processes,
                    "peak_mib": round(peak, 1),
                    "seconds": round(seconds, 1),
                    "files_per_second": round(count / seconds, 1),
                }
            )
            print(records[-1])
    write_csv(RESULTS, list(records[0]), records)


if __name__ == "__main__":
    main()
