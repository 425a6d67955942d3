"""No command connects to anything, and no library that it loads reports home."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TO_OTHERS = re.compile(r"AF_INET6?\b")
COMMANDS = {
    "predict": "predict IMAGES --model ONNX -o t.csv --overlays maps --report page.html",
    # Below strace, threads of OpenVINO wait for each other for ever, two times in five.
    "predict with OpenVINO": "predict IMAGES --model XML -o t.csv --threads 1",
    "describe": "describe ONNX",
    "export": "export ONNX --to openvino -o out --calibration COHORT",
    "train": "train --help",
}


def _run(words: list[str], folder: Path) -> tuple[int, str]:
    """Run a command below strace; return its exit code and the calls that open sockets."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace (Debian's package strace)")
    trace = folder / "trace"
    follow = [strace, "-f", "--seccomp-bpf", "-e", "trace=socket,connect", "-o", str(trace)]
    # A home of its own, in which a library would leave what it keeps to report.
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [*follow, sys.executable, *words],
        env={**kept, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if not trace.is_file():
        pytest.skip(f"strace may not trace here: {done.stderr[-200:]}")
    return done.returncode, trace.read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_connects_to_anything(
    command: str, tiny_model: Path, tiny_openvino: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    places = {"ONNX": tiny_model, "XML": tiny_openvino, "COHORT": tiny_cohort}
    places["IMAGES"] = tiny_cohort / "yes"
    words = [str(places.get(word, word)) for word in COMMANDS[command].split()]
    code, calls = _run(["-m", "tumorscope", *words], tmp_path)
    assert code in (0, 5)
    assert not TO_OTHERS.search(calls), calls
    assert not list(tmp_path.rglob("*deviceid*"))
    assert not list(tmp_path.rglob("openvino_ga_cid"))


def test_the_tracer_sees_connections(tmp_path: Path) -> None:
    _, calls = _run(["-c", "import socket; socket.socket(socket.AF_INET)"], tmp_path)
    assert TO_OTHERS.search(calls)


def test_reports_are_off_in_what_a_program_starts_and_its_own_choice_stays() -> None:
    names = ("ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED")
    shown = f"import os; print(*map(os.environ.get, {names}))"
    program = (
        "import os, subprocess, sys; os.environ['RAY_USAGE_STATS_ENABLED'] = '1'\n"
        f"import tumorscope; subprocess.run([sys.executable, '-c', {shown!r}])"
    )
    environment = {n: v for n, v in os.environ.items() if n != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1"]
