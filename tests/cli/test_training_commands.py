"""``train``, ``evaluate``, ``crossval`` and ``describe``: output, exit codes, errors."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tumorscope.cli.app import run

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")

RECIPE = """
name = "tiny"
[input]
size = 32
[augmentation]
rotation = 10.0
[network]
backbone = "small_cnn"
units = 4
[frozen]
epochs = 1
[fine_tuning]
epochs = 1
from_layer = "conv_3"
[optimisation]
batch_size = 4
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return str(tmp_path / "tiny.toml")


def test_train_then_evaluate(
    tiny_cohort: Path, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "run")
    words = ["train", str(tiny_cohort), "--recipe", recipe, "--weights", "none", "-o", folder]
    assert run(words) == 0
    shown = capsys.readouterr()
    assert "2 in" in shown.out
    assert f"tumorscope evaluate {folder}" in shown.err
    assert run([*words, "--quiet"]) == 2
    assert "finished run" in capsys.readouterr().err

    assert run(["evaluate", folder, "--json", "--quiet"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert shown.err == ""
    assert document["split"] == "grouped"
    assert set(document["metrics"]["accuracy"]) >= {"value", "low", "high", "method"}

    assert run(["evaluate", folder, str(tiny_cohort)]) == 5
    said = capsys.readouterr().err.strip()
    assert "used to train" in said
    listing = shlex.split(said.rpartition("Run: ")[2])
    assert listing[1:5] == ["audit", str(tiny_cohort), "--against", f"{folder}/manifest.csv"]
    assert run(["evaluate", folder, str(tiny_cohort), "--allow-seen"]) == 0


def test_files_left_out_or_unreadable_are_named_counted_and_are_exit_code_4(
    tiny_cohort: Path, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_cohort / "astrocytoma").mkdir()
    (tiny_cohort / "yes" / "yes5.png").rename(tiny_cohort / "astrocytoma" / "a.png")
    (tiny_cohort / "no" / "b.dcm").write_bytes(b"DICM")
    (tiny_cohort / "README.txt").write_text("no scan")
    (tiny_cohort / "yes" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    trained, crossed, elsewhere = (str(tmp_path / name) for name in ("run", "cv", "elsewhere"))
    how = ["--recipe", recipe, "--weights", "none"]
    for words in (
        ["train", str(tiny_cohort), *how, "-o", trained],
        ["evaluate", trained, str(tiny_cohort), "--allow-seen", "-o", elsewhere],
        ["crossval", str(tiny_cohort), *how, "--folds", "2", "--repeats", "1", "-o", crossed],
    ):
        assert run([*words, "--json"]) == 4
        shown = capsys.readouterr()
        assert "astrocytoma/: 1" in shown.err
        assert "torn.jpg" in shown.err
        assert "2 files that look like scans were left out" in shown.err
        counts = {
            name: each["count"] for name, each in json.loads(shown.out)["passed_over"].items()
        }
        assert counts == {"unknown-class": 1, "format-not-read": 1, "not-an-image": 1}
    # It was told when the run was trained, and its own testing images are whole.
    assert run(["evaluate", trained]) == 0
    for folder in (elsewhere, crossed, f"{trained}/evaluation"):
        report = Path(folder, "report.html").read_text("utf-8")
        assert "left out: images below folders whose names tell no class" in report
        assert "astrocytoma/a.png" in report
        assert "passed_over" not in report
    # A run's own testing images are those that could be read.
    for folder in (elsewhere, crossed):
        report = Path(folder, "report.html").read_text("utf-8")
        assert re.search(r"unreadable</t[dh]>\s*<td[^>]*>1</td>", report)


def test_crossval_prints_a_table_and_names_the_report(
    tiny_cohort: Path, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["crossval", str(tiny_cohort), "--recipe", recipe, "--weights", "none"]
    words += ["--folds", "2", "--repeats", "1", "-o", str(tmp_path / "cv")]
    assert run(words) == 0
    shown = capsys.readouterr()
    assert "Accuracy" in shown.out
    assert str(tmp_path / "cv" / "report.html") in shown.err


def test_describe_prints_the_papers_figure_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["describe", "--recipe", "paper"]) == 0
    shown = capsys.readouterr().out
    for count in ("2,257,984", "8,028,288", "512", "129", "10,286,913"):
        assert count in shown
    assert run(["describe", "--recipe", "paper", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["parameters"] for each in document["layers"]] == [
        2257984,
        0,
        8028288,
        512,
        0,
        129,
    ]


def test_describe_tells_what_each_operating_point_answers(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["describe", str(tiny_model)]) == 0
    shown = capsys.readouterr().out
    assert "threshold 0.800; no tumour below 0.400, tumour above 0.800, no answer between" in shown
    # Its figures have no share of abstentions: they are of the rule before.
    assert "of an older version" in shown
    assert run(["describe", str(tiny_model), "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["operating_points"]
    assert points["specific"]["abstains"] == pytest.approx([0.4, 0.8])


def test_describe_toml_is_a_recipe_to_start_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["describe", "--recipe", "paper", "--toml"]) == 0
    (tmp_path / "mine.toml").write_text(capsys.readouterr().out)
    assert run(["describe", "--recipe", str(tmp_path / "mine.toml"), "--toml"]) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["train", "nowhere", "--weights", "none", "-o", "out"], 3, "no file or folder"),
        (["train", "{data}", "--recipe", "nowhere.toml", "-o", "out"], 3, "nowhere.toml"),
        (["train", "{data}"], 2, "output"),
        (["train", "{data}", "--weights", "nowhere.h5", "-o", "out"], 3, "nowhere.h5"),
        (["train", "{data}", "--weights", "none", "-o", "{file}/run"], 3, "Cannot write"),
        (["evaluate", "{data}"], 3, "no run"),
        (["crossval", "{data}", "--folds", "1", "-o", "out"], 2, "2 folds"),
        (["describe", "--recipe", "unknown"], 3, "Expected one of"),
    ],
)
def test_bad_input_has_its_exit_code_and_says_what_to_do(
    tiny_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    given = [word.format(data=tiny_cohort, file=tmp_path / "file") for word in words]
    assert run(given) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "Traceback" not in shown.err
