"""Measure what the base install puts on disk: no Keras, no TensorFlow.

    python benchmarks/install_size.py

makes an empty environment, installs this project into it (needs the network) and writes
benchmarks/results/install_size.csv: MiB of site-packages, without pip itself, by package.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "install_size.csv"


def main() -> None:
    _arguments()
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, "-m", "venv", name], check=True)
        python = Path(name) / "bin" / "python"
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(ROOT)], check=True)
        site = next((Path(name) / "lib").glob("python*/site-packages"))
        sizes = {
            item.name: sum(file.stat().st_size for file in _files(item)) / 2**20
            for item in site.iterdir()
            if not item.name.startswith(("pip", "setuptools"))
        }
    rows = [("total", sum(sizes.values())), *sorted(sizes.items(), key=lambda row: -row[1])]
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("package", "mib"))
        writer.writerows((package, f"{mib:.1f}") for package, mib in rows if mib >= 0.5)
    print(f"base install: {rows[0][1]:.1f} MiB")


def _files(item: Path) -> list[Path]:
    return [item] if item.is_file() else [each for each in item.rglob("*") if each.is_file()]


def _arguments() -> None:
    """Take none but --help, which must not begin to measure."""
    how = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=how).parse_args()


if __name__ == "__main__":
    main()
