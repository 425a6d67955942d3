"""The main job on phantoms, from drawing them to an exported model: what users keep of it.

`tests/test_golden_outputs.py` compares these files with the ones in `tests/golden/expected`. Where
a change of them is wanted, remake them, read the difference as a user would, and commit it with
the reason:

    python -m tests.golden.outputs
    git diff tests/golden/expected
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from tests.fixtures.trained import discs

EXPECTED = Path(__file__).with_name("expected")

KEPT = (
    "audit/audit.json",
    "audit/manifest.csv",
    "findings.csv",
    "packaged/metrics.json",
    "packaged/scores.csv",
    "run/recipe.toml",
    "run/run.json",
    "run/history.csv",
    "run/scores.csv",
    "evaluation/metrics.json",
    "evaluation/scores.csv",
    "exported/parity.json",
)

RECIPE = """\
name = "golden"
[data]
fractions = [0.5, 0.25, 0.25]
[input]
size = 32
[network]
backbone = "small_cnn"
head = "pooled"
dropout = 0.0
[augmentation]
variants = 1
rotation = 0.0
[frozen]
epochs = 0
[fine_tuning]
epochs = 20
learning_rate = 5e-3
from_layer = "input"
[optimisation]
batch_size = 8
"""
"""Learns to tell discs from noise so well that no rounding of another processor matters."""

HASH = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b")
"""Of a file or a model, or the beginning of one; a group has the name of one of its files."""

ELSEWHERE = {"versions", "machine", "started", "seconds_training", "seconds_total", "seconds", "ms"}
"""What another machine or hour changes."""

COMMANDS = (
    "phantom scans --n 32 --seed 3 --duplicates 8",
    "phantom other --n 8 --seed 9",
    "audit scans --against other -o audit",
    "predict scans -o findings.csv",
    "evaluate packaged other -o packaged",
    "train discs --recipe golden.toml --weights none -o run",
    "evaluate run -o evaluation",
    "export run/model.onnx --to onnx-f16 --calibration more-discs -o exported",
)


def write(folder: Path) -> None:
    """Run the commands in an empty folder, in this process."""
    from tumorscope.cli.app import run

    uncompressed(discs(folder / "discs", n=160, seed=5))
    uncompressed(discs(folder / "more-discs", n=16, seed=9))
    (folder / "golden.toml").write_text(RECIPE, "utf-8")
    with contextlib.chdir(folder):
        for command in COMMANDS:
            code = run([*command.split(), "--quiet"])
            if code != 0:
                raise RuntimeError(f"tumorscope {command}: exit code {code}, expected 0")


def uncompressed(folder: Path) -> None:
    """Turn PNG into BMP: the bytes, and with them the splits, are those of any version of zlib."""
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            image.save(path.with_suffix(".bmp"))
        path.unlink()


def text_of(folder: Path, name: str) -> str:
    """Return what a file says whenever and wherever it was made.

    Hashes are numbered as they appear, so that what was equal stays so.
    """
    known: dict[str, str] = {}
    text = (folder / name).read_text("utf-8").replace(f"{folder.resolve()}{os.sep}", "")
    text = HASH.sub(lambda found: known.setdefault(found[0][:12], f"hash-{len(known)}"), text)
    if name.endswith(".json"):
        return json.dumps(_timeless(json.loads(text)), indent=2) + "\n"
    if name.endswith(".csv"):
        stream = io.StringIO()
        records = csv.DictReader(text.splitlines())
        table = csv.DictWriter(stream, records.fieldnames or (), lineterminator="\n")
        table.writeheader()
        table.writerows({**each, **dict.fromkeys(ELSEWHERE & each.keys(), "")} for each in records)
        return stream.getvalue()
    return text


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: "" if key in ELSEWHERE else _timeless(each) for key, each in value.items()}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        shutil.rmtree(EXPECTED, ignore_errors=True)
        for kept in KEPT:
            (EXPECTED / kept).parent.mkdir(parents=True, exist_ok=True)
            (EXPECTED / kept).write_text(text_of(Path(name), kept), "utf-8")


if __name__ == "__main__":
    main()
