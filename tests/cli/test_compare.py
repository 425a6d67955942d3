"""``compare``: output, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tumorscope.cli.app import run
from tumorscope.experiments.comparison import compare, measure
from tumorscope.networks import imagenet

pytestmark = pytest.mark.usefixtures("eager", "unplotted")

RECIPE = """
name = "tiny"
[input]
size = 32
[network]
head = "pooled"
[frozen]
epochs = 1
[fine_tuning]
epochs = 0
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(measure, "SECONDS", 0.0)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(imagenet, "BASE_URL", "http://127.0.0.1:1/")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return str(tmp_path / "tiny.toml")


def test_costs_alone_need_no_cohort(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", "--cost-only", "--backbones", "small_cnn", "--recipe", recipe]
    assert run([*words, "-o", str(tmp_path / "c")]) == 0
    shown = capsys.readouterr()
    assert "small_cnn" in shown.out
    assert str(tmp_path / "c" / "comparison.html") in shown.err
    assert run([*words, "-o", str(tmp_path / "c")]) == 2
    assert "--resume" in capsys.readouterr().err


def test_missing_weights_are_listed_and_are_exit_code_4(
    tiny_cohort: Path,
    recipe: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cost = measure.Cost("32", 10, 0.1, 2.0, "ONNX Runtime", 50.0, None)
    monkeypatch.setattr(compare, "measure", lambda *_: cost)
    words = ["compare", str(tiny_cohort), "--backbones", "small_cnn, mobilenet_v2-logistic"]
    words += ["--recipe", recipe, "--folds", "2", "--repeats", "1", "-o", str(tmp_path / "c")]
    assert run([*words, "--json"]) == 4
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert document["missing"] == ["small_cnn", "mobilenet_v2-logistic"]
    assert [row["quality"] for row in document["rows"]] == [None, None]
    assert f"not available; run: tumorscope compare {tiny_cohort} --backbones" in shown.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["compare", "{data}"], 2, "output"),
        (["compare", "-o", "out"], 2, "--cost-only"),
        (["compare", "nowhere", "--backbones", "small_cnn", "-o", "out"], 3, "no file or folder"),
        (["compare", "--cost-only", "--backbones", "odd", "-o", "out"], 2, "no system"),
        (["compare", "--cost-only", "--recipe", "odd", "-o", "out"], 3, "Expected one of"),
    ],
)
def test_bad_input_has_its_exit_code(
    tiny_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([word.format(data=tiny_cohort) for word in words]) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
