"""Evaluation of a run: its own testing images, new ones, and images that it has seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tumorscope.assessment.evaluate import evaluate
from tumorscope.cohort.row import Row
from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import HonestyError, InputError, UsageError
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.records.run_folder import Run

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Run:
    return Run.open(shutil.copytree(finished_run, tmp_path / "run"))


def test_its_own_testing_images(run: Run) -> None:
    result = evaluate(run)
    document = json.loads((run.folder / "evaluation" / "metrics.json").read_text())
    testing = run.manifest.of_split("testing")
    assert document["n"] == len(testing)
    metrics = result.metrics.to_json()
    assert {key: document[key] for key in metrics} == metrics
    assert result.report == run.folder / "evaluation" / "report.html"
    assert "Research use only" in result.report.read_text()


def test_a_run_whose_splits_separate_copies_is_not_measured(run: Run) -> None:
    """As runs of former versions may, which believed a column of groups."""
    path = run.folder / "manifest.csv"
    lines = path.read_text("utf-8").splitlines()
    header = lines[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in lines[1:]]
    tested = next(row for row in rows if row["split"] == "testing")
    trained = next(row for row in rows if row["split"] == "training")
    trained["sha256"] = tested["sha256"]
    path.write_text("\n".join([lines[0], *(",".join(row.values()) for row in rows), ""]), "utf-8")
    with pytest.raises(HonestyError, match="more than one split"):
        evaluate(run)
    assert not (run.folder / "evaluation" / "metrics.json").exists()


def edit(run: Run, change: Callable[[Row], Row | None]) -> None:
    """Save the run's manifest with rows changed or left out, as a person with an editor may."""
    manifest = run.manifest
    manifest.having(filter(None, map(change, manifest.rows))).save(run.folder / "manifest.csv")


def test_labels_that_were_edited_after_training_are_told(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = run.manifest.of_split("testing").rows[:2]
    flipped = replace(first, label=1 - first.label)
    edit(run, lambda row: flipped if row == first else None if row == second else row)
    result = evaluate(run)
    notes = json.loads((result.folder / "metrics.json").read_text())["notes"]
    words = {0: "no tumour", 1: "tumour"}
    change = f"{first.path}: {words[first.label]}, now {words[flipped.label]}"
    assert sum(change in note and "1 of " in note for note in notes) == 1
    assert sum("left out" in note and second.path in note for note in notes) == 1
    assert change in capsys.readouterr().err
    assert "than when the run was trained" in result.report.read_text()


def test_training_images_that_were_moved_to_the_testing_part_are_refused(run: Run) -> None:
    first = run.manifest.of_split("training").rows[0]
    edit(run, lambda row: replace(row, split="testing") if row.group == first.group else row)
    with pytest.raises(HonestyError, match="training or tuning part when the run was trained"):
        evaluate(run)
    result = evaluate(run, allow_seen=True)
    assert "images it was trained on" in result.report.read_text()


def test_new_images_are_scored(run: Run, tmp_path: Path) -> None:
    new_images(tmp_path / "other")
    result = evaluate(run, tmp_path / "other", output=tmp_path / "report")
    assert result.metrics.to_json()["n"] == 6


def test_seen_images_are_refused_also_when_re_encoded(run: Run, tmp_path: Path) -> None:
    trained = [row for row in run.manifest.rows if row.split == "training"]
    for row in trained:
        target = tmp_path / "seen" / ("yes" if row.label else "no")
        target.mkdir(parents=True, exist_ok=True)
        image = Image.open(run.manifest.file(row)).resize((120, 120))
        image.save(target / (Path(row.path).stem + ".jpg"), quality=85)
    with pytest.raises(HonestyError, match="used to train"):
        evaluate(run, tmp_path / "seen", output=tmp_path / "report")
    assert not (tmp_path / "report" / "report.html").exists()
    result = evaluate(run, tmp_path / "seen", output=tmp_path / "report", allow_seen=True)
    assert "images it was trained on" in result.report.read_text()


def new_images(folder: Path) -> Path:
    generator = np.random.default_rng(99)
    for name in ("yes", "no"):
        (folder / name).mkdir(parents=True)
        for index in range(3):
            pixels = generator.integers(0, 256, (10, 10), dtype=np.uint8).repeat(9, 0).repeat(9, 1)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


def test_a_model_file_is_measured_as_its_run_is(run: Run, tmp_path: Path) -> None:
    data = new_images(tmp_path / "other")
    with_keras = evaluate(run, data, output=tmp_path / "keras").metrics.to_json()
    report = evaluate(run.folder / "model.onnx", data, output=tmp_path / "onnx")
    with_onnx = report.metrics.to_json()
    assert with_onnx["n"] == 6
    # Too few tuning images to calibrate on, so the probabilities are the network's own.
    for name in ("auc", "brier"):
        assert with_onnx["metrics"][name]["value"] == pytest.approx(
            with_keras["metrics"][name]["value"], abs=1e-4
        )
    scores = read_csv(tmp_path / "onnx" / "scores.csv")
    assert [row["decision"] for row in scores] == ["abstain"] * 6
    assert {row["seen"] for row in scores} == {"false"}
    page = report.report.read_text()
    assert "quick@" in page
    assert "the model abstains on" in page


@pytest.mark.parametrize("how", ["small", "mirrored", "turned"])
def test_a_model_file_refuses_what_it_has_seen(run: Run, tmp_path: Path, how: str) -> None:
    data = new_images(tmp_path / "other")
    row = run.manifest.of_split("training").rows[0]
    opened = Image.open(run.manifest.file(row))
    image = {
        "small": lambda: opened.resize((70, 70)),
        "mirrored": lambda: ImageOps.mirror(opened),
        "turned": lambda: opened.rotate(90),
    }[how]()
    image.save(data / "no" / "copy.jpg", quality=80)
    model = run.folder / "model.onnx"
    with pytest.raises(HonestyError, match=r"1 of 7 .*copy\.jpg"):
        evaluate(model, data, output=tmp_path / "report")
    result = evaluate(model, data, output=tmp_path / "report", allow_seen=True)
    assert "images it was trained on" in result.report.read_text()
    seen = [
        row["path"] for row in read_csv(tmp_path / "report" / "scores.csv") if row["seen"] == "true"
    ]
    assert [Path(path).name for path in seen] == ["copy.jpg"]


def test_a_model_of_another_version_is_measured_too(run: Run, tmp_path: Path) -> None:
    model = read_model(run.folder / "model.onnx")
    recipe = {**model.metadata.recipe, "invented": 1}
    later = model.metadata.model_copy(update={"recipe": recipe})
    path = write_model(tmp_path / "later.onnx", model.graph, later).path
    result = evaluate(path, new_images(tmp_path / "other"), output=tmp_path / "report")
    assert result.metrics.to_json()["n"] == 6
    assert "invented" in result.report.read_text()


def test_a_model_file_needs_images(run: Run) -> None:
    with pytest.raises(UsageError, match="without images"):
        evaluate(run.folder / "model.onnx")


def test_an_operating_point_that_is_not_there_is_refused_before_images_are_looked_at(
    run: Run, tmp_path: Path
) -> None:
    for subject in (run, run.folder / "model.onnx"):
        with pytest.raises(UsageError, match="Unknown operating point 'odd'"):
            evaluate(subject, tmp_path / "nowhere", operating_point="odd")


def test_what_is_no_run_is_refused(tmp_path: Path, run: Run) -> None:
    with pytest.raises(InputError, match="no run"):
        evaluate(tmp_path)
    shutil.copy(run.folder / "manifest.csv", tmp_path / "manifest.csv")
    (run.folder / "scores.csv").unlink()
    with pytest.raises(InputError, match=r"scores\.csv"):
        evaluate(run)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("run.json", "{}"),
        ("history.csv", "epoch,phase,loss\n1,frozen,x\n"),
        ("scores.csv", "path,label,split,score\n"),
        ("scores.csv", "path,label,split\na.png,1,testing\n"),
        ("model.keras", "torn"),
    ],
)
def test_a_damaged_run_is_named(run: Run, tmp_path: Path, name: str, content: str) -> None:
    new_images(tmp_path / "other")
    if name == "model.keras":
        (run.folder / "model.onnx").unlink()  # which is asked instead
    (run.folder / name).write_text(content)
    data = tmp_path / "other" if name == "model.keras" else None
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        evaluate(run, data, output=tmp_path / "report")


def test_a_score_that_is_no_number_is_named(run: Run) -> None:
    path = run.folder / "scores.csv"
    lines = path.read_text().splitlines()
    head = lines[0]
    path.write_text("\n".join([head, *(e.rpartition(",")[0] + ",nan" for e in lines[1:])]) + "\n")
    with pytest.raises(InputError, match="no numbers from 0 to 1"):
        evaluate(run)


def test_images_from_elsewhere_are_not_said_to_be_split(run: Run, tmp_path: Path) -> None:
    cohort = new_images(tmp_path / "new")
    for number, subject in enumerate((run, run.folder / "model.onnx")):
        found = evaluate(subject, cohort, output=tmp_path / f"external-{number}")
        assert "external images" in found.metrics.table()
        assert found.metrics.to_json()["external"] is True
        page = found.report.read_text("utf-8")
        assert "These images come from elsewhere" in page
        assert "kept on one side" not in page
        assert "measured with: tumorscope" in page
    own = evaluate(run)
    assert "grouped split" in own.metrics.table()
    assert "external" not in own.metrics.to_json()
