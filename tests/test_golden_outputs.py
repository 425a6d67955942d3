"""What users keep of the main job is as it was: keys, columns, words and numbers.

`tests/golden/outputs.py` says how the files are made, and how to make them anew where a change is
wanted. On one machine with one set of libraries they come out the same to the last digit but for
times, so `git diff` after making them anew shows what a change does. Here they are
compared with tolerances that other processors and versions of libraries hold:

- words, flags, counts, decisions, keys, columns and their order: exactly;
- what is computed from drawn pixels alone: 0.0005 (other versions of Pillow and OpenCV);
- AUCs of the audit's probes, which scikit-learn fits: 0.02;
- probabilities of the packaged model: 0.001, and its metrics 0.002;
- whatever comes out of a training: which values are numbers, and no more, because the last bits
  of twenty epochs decide over the first ones. What it must reach is asserted by itself.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from tests.golden.outputs import EXPECTED, KEPT, text_of, write

pytest.importorskip("keras", reason="needs the train extra")

ANY_NUMBER = math.inf
TOLERANCES = {
    "audit/audit.json": 0.02,
    "audit/manifest.csv": 0.0005,
    "findings.csv": 0.001,
    "packaged/metrics.json": 0.002,
    "packaged/scores.csv": 0.001,
    "run/recipe.toml": 0.0,
    "run/run.json": 0.0,
    "run/history.csv": ANY_NUMBER,
    "run/scores.csv": ANY_NUMBER,
    "evaluation/metrics.json": ANY_NUMBER,
    "evaluation/scores.csv": ANY_NUMBER,
    "exported/parity.json": ANY_NUMBER,
}

OF_A_TRAINING = {"decision", "reasons", "id", "model", "doubts", "reason", "method", "abstains"}
"""Words that depend on the numbers of a training."""


@pytest.fixture(scope="module")
def outputs(unplotted: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    write(folder)
    return folder


@pytest.mark.parametrize("name", KEPT)
def test_what_users_keep_is_as_it_was(name: str, outputs: Path) -> None:
    found, expected = read(outputs, name), read(EXPECTED, name)
    differences = compare(expected, found, name, tolerance=TOLERANCES[name])
    assert not differences, "\n".join(differences[:20])


def test_the_training_has_learned(outputs: Path) -> None:
    metrics = json.loads((outputs / "evaluation" / "metrics.json").read_text("utf-8"))
    assert metrics["metrics"]["auc"]["value"] > 0.8
    assert sum(metrics["confusion"][0]) == sum(metrics["confusion"][1]) == 20


def read(folder: Path, name: str) -> object:
    text = text_of(folder, name)
    if name.endswith(".json"):
        return json.loads(text)
    if name.endswith(".csv"):
        columns, *rows = csv.reader(text.splitlines())
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        return {"columns": columns, "rows": records}
    return text.splitlines()


def compare(expected: object, found: object, where: str, *, tolerance: float) -> list[str]:
    """Return what differs, a line each."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if set(expected) != set(found):
            return [f"{where}: keys {sorted(expected)} became {sorted(found)}"]
        return [
            line
            for key in expected
            if not (tolerance == ANY_NUMBER and key in OF_A_TRAINING)
            for line in compare(expected[key], found[key], f"{where}.{key}", tolerance=tolerance)
        ]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{where}: {len(expected)} entries became {len(found)}"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [
            line
            for index, (one, other) in pairs
            for line in compare(one, other, f"{where}[{index}]", tolerance=tolerance)
        ]
    one, other = number(expected), number(found)
    if tolerance == ANY_NUMBER and is_measured(expected) and is_measured(found):
        return []
    if one is not None and other is not None and abs(one - other) <= tolerance:
        return []
    return [] if expected == found else [f"{where}: {expected!r} became {found!r}"]


def is_measured(value: object) -> bool:
    """Whether it is a number that was measured, or null, where it could not be."""
    return value is None or (number(value) is not None and not isinstance(value, bool))


def number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def test_differences_are_found() -> None:
    expected = {"a": [1.0, "word"], "b": None}
    assert not compare(expected, {"a": [1.0004, "word"], "b": None}, "", tolerance=0.001)
    assert compare(expected, {"a": [1.002, "word"], "b": None}, "", tolerance=0.001)
    assert compare(expected, {"a": [1.0, "other"], "b": None}, "", tolerance=ANY_NUMBER)
    assert compare(expected, {"a": [1.0, "word"]}, "", tolerance=ANY_NUMBER)
    assert compare(expected, {"a": [1.0], "b": None}, "", tolerance=ANY_NUMBER)
    assert not compare(expected, {"a": [7, "word"], "b": 3}, "", tolerance=ANY_NUMBER)
