"""Every command that writes: where another process is writing, it says so and changes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tumorscope.cli.app import run

HOLD = """
import sys
from tumorscope.common.locks import writing
with writing(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place that another process is writing to."""
    place = tmp_path_factory.mktemp("held") / "place"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield place
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    "words",
    [
        "audit {data} -o {place}",
        "split {place}",
        "train {data} --weights none -o {place}",
        "train {data} --weights none -o {place} --resume",
        "crossval {data} --weights none -o {place}",
        "crossval {data} --weights none --task tumour-type -o {place}",
        "compare {data} --cost-only -o {place}",
        "tune {data} --trials 1 --weights none -o {place}",
        "evaluate {model} {data} -o {place}",
        "robustness {data} --model {model} -o {place}",
        "predict {data} --model {model} --overlays {place}",
        "export {model} --to onnx-f16 --calibration {data} -o {place}",
        "bench --model {model} --data {data} -o {place}",
        "phantom {place} --n 2",
        "download {place}",
        "demo -o {place}",
    ],
)
def test_it_is_told_who_is_writing(
    words: str, held: Path, tiny_cohort: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = words.format(data=tiny_cohort, place=held, model=tiny_model).split()
    assert run(filled) == 3
    assert "Another process (pid " in capsys.readouterr().err
    assert [path.name for path in held.parent.iterdir()] == [".place.lock"]
