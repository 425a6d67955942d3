"""Time ``import tumorscope`` and ``tumorscope --help`` as whole processes.

    python benchmarks/startup.py

writes benchmarks/results/startup.csv. The bare interpreter is timed beside them, because it is
the floor; ``import keras`` is, because it is what a command would cost without lazy imports.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tumorscope.common.csv_files import write_csv

RESULTS = Path(__file__).parent / "results" / "startup.csv"
RUNS = 15
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "import tumorscope": ("-c", "import tumorscope"),
    "tumorscope --help": ("-m", "tumorscope", "--help"),
    "import keras": ("-c", "import keras"),
}


def main() -> None:
    _arguments()
    records = []
    for name, words in COMMANDS.items():
        runs = 3 if name == "import keras" else RUNS
        seconds = []
        for _ in range(runs + 1):
            started = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            seconds.append(time.perf_counter() - started)
        seconds = seconds[1:]  # the first fills the disk cache
        record = {
            "command": name,
            "runs": runs,
            "median_s": round(statistics.median(seconds), 3),
            "max_s": round(max(seconds), 3),
        }
        records.append(record)
        print(f"{name:<20} median {record['median_s']:.3f} s   max {record['max_s']:.3f} s")
    write_csv(RESULTS, list(records[0]), records)


def _arguments() -> None:
    """Take none but --help, which must not begin to measure."""
    how = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=how).parse_args()


if __name__ == "__main__":
    main()
