"""A run is measured by the detector that ships with it, and the raw score stands beside it."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tumorscope.assessment.evaluate import evaluate
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cli.app import app
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import InputError
from tumorscope.detection.detector import Detector
from tumorscope.model_file.onnx_file import read_model
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.evaluation_folder import default_folder
from tumorscope.records.run_folder import Run
from tumorscope.records.scores import scores_of
from tumorscope.statistics.answers import Answers, with_answers
from tumorscope.statistics.two_classes import evaluate_scores

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")


@pytest.fixture(scope="module")
def measured(able_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run, evaluated once."""
    folder = shutil.copytree(able_run, tmp_path_factory.mktemp("measured") / "run")
    evaluate(folder)
    return folder


@pytest.fixture(scope="module")
def elsewhere(measured: Path, other_discs: Path) -> Path:
    """The report on a cohort that the run has not seen."""
    return evaluate(measured, other_discs, allow_seen=True).report.parent


@pytest.fixture
def run(able_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(able_run, tmp_path / "run")


def metrics_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text("utf-8"))


def text_of(folder: Path) -> str:
    """The report as a reader sees it."""
    html = (folder / "report.html").read_text("utf-8")
    html = re.sub(r"<style.*?</style>|<details>.*?</details>", "", html, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", " ", html)).replace("\N{NO-BREAK SPACE}", " ")


def test_the_headline_is_of_the_detector_that_ships(measured: Path) -> None:
    document = metrics_of(measured / "evaluation")
    metadata = read_model(measured / "model.onnx").metadata
    point = metadata.operating_points["balanced"]
    assert document["detector"]["model"] == metadata.id
    assert document["threshold"] == point.threshold != 0.5
    testing = Run.open(measured).manifest.of_split("testing")
    detector = Detector.load(measured / "model.onnx")
    findings = list(detector.detect_many([testing.file(row) for row in testing.rows]))
    said = dict.fromkeys(("tumour", "no tumour", "abstain", "refused"), 0)
    right = 0
    for row, finding in zip(testing.rows, findings, strict=True):
        said[finding.decision] += 1
        right += finding.decision == ("no tumour", "tumour")[row.label]
    assert min(said.values()) > 0  # the cohort was drawn to show all four
    assert document["abstained"]["n"] == said["abstain"]
    assert document["refused"]["n"] == said["refused"]
    answered = document["answered"]
    assert answered["n"] == said["tumour"] + said["no tumour"]
    assert answered["metrics"]["accuracy"]["value"] == pytest.approx(right / answered["n"])
    assert document["n"] == len(testing) == sum(said.values())


def test_the_raw_score_stands_beside_it_with_the_same_keys(measured: Path) -> None:
    document = metrics_of(measured / "evaluation")
    testing = Run.open(measured).manifest.of_split("testing")
    scores = scores_of(measured / "scores.csv", [row.path for row in testing.rows])[:, 0]
    expected = evaluate_scores(testing.labels, scores, groups=testing.groups).to_json()
    assert document["raw"] == json.loads(json.dumps(expected))
    assert document["raw"]["threshold"] == 0.5
    assert document["raw"]["metrics"].keys() == document["metrics"].keys()
    page = text_of(measured / "evaluation")
    assert "As the paper measures: raw score at 0.5" in page
    assert "the model abstains on" in page


def test_run_model_and_predict_agree_to_the_digit(
    measured: Path, elsewhere: Path, other_discs: Path, tmp_path: Path
) -> None:
    evaluate(measured / "model.onnx", other_discs, output=tmp_path / "model")
    by_run = read_csv(elsewhere / "scores.csv")
    assert by_run == read_csv(tmp_path / "model" / "scores.csv")
    mine, theirs = metrics_of(elsewhere), metrics_of(tmp_path / "model")
    for key in ("metrics", "raw", "answered", "abstained", "refused", "confusion", "threshold"):
        assert mine[key] == theirs[key], key
    table = tmp_path / "findings.csv"
    words = ["predict", str(other_discs), "--model", str(measured / "model.onnx"), "-o", str(table)]
    assert app(words, exit_on_error=False, result_action="return_value") in (0, None)
    with table.open(encoding="utf-8", newline="") as stream:
        predicted = {Path(row["path"]).name: row for row in csv.DictReader(stream)}
    for row in by_run:
        found = predicted[Path(row["path"]).name]
        assert found["decision"] == row["decision"]
        assert found["reasons"] == row["reasons"]
        if found["decision"] != "refused":
            # The table has six digits.
            assert float(found["probability"]) == pytest.approx(float(row["score"]), abs=1e-6)


def test_a_cohort_from_elsewhere_does_not_replace_the_runs_own_report(
    measured: Path, elsewhere: Path
) -> None:
    assert elsewhere == measured / "evaluation-elsewhere"
    assert (elsewhere / "report.html").is_file()
    assert metrics_of(measured / "evaluation")["n"] == 20
    assert metrics_of(elsewhere)["n"] == 16


def test_each_cohort_gets_a_folder_of_its_own(elsewhere: Path, other_discs: Path) -> None:
    run = elsewhere.parent
    scored = prepare_manifest(other_discs)
    assert default_folder(run, None, scored) == run / "evaluation"
    # Evaluated again it goes to the same place; another of that name does not.
    assert default_folder(run, other_discs, scored) == elsewhere
    fewer = scored.having(scored.rows[1:])
    assert default_folder(run, other_discs, fewer) == run / "evaluation-elsewhere-2"
    odd = Path("/data/my scans (2); x")
    assert default_folder(run, odd, scored) == run / "evaluation-my-scans-2-x"
    assert default_folder(run, odd / "manifest.csv", scored).name == "evaluation-my-scans-2-x"
    assert default_folder(run, odd / "site b.csv", scored).name == "evaluation-site-b"
    assert default_folder(run, Path("/"), scored).name == "evaluation-cohort"


def test_without_a_model_file_the_raw_score_is_told_and_named_so(run: Path) -> None:
    (run / "model.onnx").unlink()
    result = evaluate(run)
    assert result.metrics.threshold == 0.5
    assert result.metrics.raw is result.metrics.answered is None
    document = metrics_of(run / "evaluation")
    assert document["detector"] is None
    page = text_of(run / "evaluation")
    assert "This run has no model file" in page
    assert "raw score" in page


def test_testing_images_that_are_gone_cannot_be_asked_about(run: Path) -> None:
    path = run / "manifest.csv"
    path.write_text(path.read_text("utf-8").replace("/yes/", "/gone/"), "utf-8")
    scores = run / "scores.csv"
    scores.write_text(scores.read_text("utf-8").replace("/yes/", "/gone/"), "utf-8")
    try:
        result = evaluate(run)
    except InputError as error:  # where copies must be looked for, images must be there
        assert "gone" in str(error)  # noqa: PT017
        return
    assert result.metrics.raw is None
    assert "are gone" in text_of(run / "evaluation")


def test_the_model_file_of_another_run_is_refused(run: Path, tiny_model: Path) -> None:
    shutil.copyfile(tiny_model, run / "model.onnx")
    with pytest.raises(InputError, match=r"model\.onnx was made from other images"):
        evaluate(run)
    assert not (run / "evaluation").exists()


def test_scores_of_another_training_are_noticed(run: Path) -> None:
    path = run / "scores.csv"
    rows = read_csv(path)
    lines = ["path,label,split,score"]
    lines += [f"{r['path']},{r['label']},{r['split']},{1 - float(r['score']):.8f}" for r in rows]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(InputError, match=r"differ by up to .* from those in scores\.csv"):
        evaluate(run)


def test_a_random_split_says_how_many_testing_images_have_a_copy(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text("utf-8"))
    (run / "run.json").write_text(json.dumps(facts | {"split": "random"}), "utf-8")
    manifest = Run.open(run).manifest
    trained, tested = manifest.of_split("training").rows, manifest.of_split("testing").rows
    lines = (run / "manifest.csv").read_text("utf-8")
    for mine, theirs in zip(tested[:3], trained[:3], strict=True):
        lines = lines.replace(f",{mine.group},testing,", f",{theirs.group},testing,")
    (run / "manifest.csv").write_text(lines, "utf-8")
    shown = evaluate(run).metrics.table()
    assert f"3 of the {len(tested)} testing images have a copy" in shown
    found = metrics_of(run / "evaluation")["copies"]
    assert (found["n"], found["of"]) == (3, len(tested))
    calls = {row["path"]: float(row["score"]) for row in read_csv(run / "evaluation/scores.csv")}
    threshold = metrics_of(run / "evaluation")["threshold"]
    again = Run.open(run).manifest.of_split("testing").rows
    right = np.array([(calls[row.path] >= threshold) == bool(row.label) for row in again])
    copied = np.array([row.group in {each.group for each in trained} for row in again])
    assert found["accuracy"]["with"]["value"] == pytest.approx(right.mean())
    assert found["accuracy"]["without"]["value"] == pytest.approx(right[~copied].mean())
    assert found["accuracy"]["alone"]["value"] == pytest.approx(right[copied].mean())
    page = text_of(run / "evaluation")
    lead = page.split("What to doubt first")[0]
    assert f"3 of the {len(tested)} testing images have a copy" in lead


def test_what_reproduces_a_report_is_whole_commands(
    measured: Path, elsewhere: Path, other_discs: Path
) -> None:
    lines = metrics_of(elsewhere)["command"].splitlines()
    assert [line.split()[1] for line in lines] == ["train", "evaluate"]
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "tumorscope"
        app.parse_args(words[1:], exit_on_error=False, print_error=False)
    train, evaluation = map(shlex.split, lines)
    recipe = Recipe.load(train[train.index("--recipe") + 1])
    assert (
        recipe.model_copy(update={"seed": int(train[train.index("--seed") + 1])})
        == Run.open(measured).recipe
    )
    assert train[train.index("--weights") + 1] == "none"
    assert train[train.index("--split") + 1] == "group"
    assert str(other_discs) in evaluation
    assert "--allow-seen" in evaluation
    assert f"RUN/{elsewhere.name}" in evaluation


def test_no_figure_has_more_digits_than_it_can_bear(measured: Path) -> None:
    page = text_of(measured / "evaluation")
    before_facts = page.split("To reproduce:")[0]
    assert re.findall(r"(?<![\w.@/-])\d*\.\d{5,}", before_facts) == []


def test_versions_of_images_are_no_doubt(measured: Path) -> None:
    assert not any("version" in each for each in metrics_of(measured / "evaluation")["doubts"])


def test_the_terminal_gets_answers_and_the_raw_score(measured: Path) -> None:
    document = metrics_of(measured / "evaluation")
    testing = Run.open(measured).manifest.of_split("testing")
    rows = read_csv(measured / "evaluation" / "scores.csv")
    answers = Answers(
        model="m@0", operating_point="balanced", zone=(0.2, 0.5),
        raw=np.array([float(row["raw_score"]) for row in rows]),
        answers=np.array([{"tumour": 1, "no tumour": 0}.get(row["decision"], -1) for row in rows]),
        refused=np.array([row["decision"] == "refused" for row in rows]),
    )  # fmt: skip
    scores = np.array([float(row["score"]) for row in rows])
    what = {"groups": testing.groups, "n_resamples": 50}
    found = evaluate_scores(testing.labels, scores, threshold=document["threshold"], **what)
    found = with_answers(found, answers, labels=testing.labels, scores=scores, **what)
    lines = found.table().splitlines()
    assert "The detector answers" in lines[-3]
    assert lines[-2].startswith("Among the answered: accuracy")
    assert lines[-1].startswith("Raw score at 0.5: accuracy")
