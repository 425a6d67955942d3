"""``tumorscope predict`` on volumes: tables, page, screen, exit codes, and no names."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.detection.test_series import AFFINE, volume
from tests.fixtures.dicom_files import write_nifti, write_series

from tumorscope.cli.app import run
from tumorscope.detection import study_outputs
from tumorscope.detection.series import detect_volumes
from tumorscope.detection.series_tables import SERIES_COLUMNS, SLICE_COLUMNS

pytest.importorskip("nibabel", reason="needs the dicom extra")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "STUDY"
    person = {"PatientID": "SECRET-1", "SeriesDescription": "SECRET words", "PatientName": "SECRET"}
    person |= {"StudyDescription": "SECRET", "ProtocolName": "SECRET", "AccessionNumber": "SECRET"}
    person |= {"InstitutionName": "SECRET", "ReferringPhysicianName": "SECRET^DR"}
    person |= {"PatientBirthDate": "19110203", "StudyDate": "19990405", "ImageComments": "SECRET"}
    write_series(folder / "1", volume((8, 9, 10, 11)), AFFINE, series=1, **person)
    write_series(folder / "2", volume(()), AFFINE, series=2, **person)
    (folder / "README.txt").write_text("x")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_per_series_and_a_page(
    study: Path, series_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, page = tmp_path / "findings.csv", tmp_path / "study.html"
    words = ["predict", str(study), "--model", str(series_model), "-o", str(table)]
    assert run([*words, "--report", str(page)]) == 0
    shown = capsys.readouterr()
    found = rows(table)
    assert list(found[0]) == list(SERIES_COLUMNS)
    assert [row["decision"] for row in found] == ["tumour", "no tumour", "passed over"]
    assert found[0]["slices"] == "24"
    assert found[0]["slices_tumour"] == "4"
    assert found[0]["key_sop_instance_uid"]
    assert found[2]["reasons"] == "not-dicom"
    assert "2 series: 1 tumour, 1 no tumour" in shown.err
    text = page.read_text("utf-8")
    assert text.count("<section") == 3
    assert "Research use only" in text
    assert "README.txt" in text
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    for written in (text, table.read_text(), shown.err):
        assert not re.search("SECRET|19110203|19990405|1911-02-03|1999-04-05", written)
    assert run([*words, "--with-descriptions"]) == 0
    assert rows(table)[0]["description"] == "SECRET words"


def test_a_row_per_slice_and_json_lines_with_both(
    study: Path, series_model: Path, tmp_path: Path
) -> None:
    table, lines = tmp_path / "slices.csv", tmp_path / "both.jsonl"
    words = ["predict", str(study), "--model", str(series_model), "--quiet", "--every", "10"]
    assert run([*words, "--slices", "-o", str(table)]) == 0
    found = rows(table)
    assert list(found[0]) == list(SLICE_COLUMNS)
    assert len(found) == 2 * 12 + 1
    positions = [float(row["position"]) for row in found[:12]]
    assert positions == sorted(positions)
    assert run([*words, "-o", str(lines)]) == 0
    documents = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [len(each["slices_looked_at"]) for each in documents] == [12, 12, 0]
    assert documents[0]["slices_looked_at"][0]["plane"] == "axial"


def test_parquet_holds_the_same(study: Path, series_model: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the parquet extra")
    path = tmp_path / "a.parquet"
    words = ["predict", str(study), "--model", str(series_model), "--quiet", "-o", str(path)]
    assert run(words) == 0
    table = parquet.read_table(path)
    assert table.column_names == list(SERIES_COLUMNS)
    assert table["decision"].to_pylist() == ["tumour", "no tumour", "passed over"]
    assert table["slices"].to_pylist() == [24, 24, 1]


def test_standard_output_and_json(
    study: Path, series_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(study / "1"), "--model", str(series_model)]
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("path,study_uid,")
    assert run([*words, "--json", "--quiet", "--window", "0,300"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["series"] == 1
    assert document["decisions"] == {"tumour": 1}
    assert document["findings"][0]["window"] == "0,300"


def test_a_model_without_the_rule_answers_per_slice_and_says_so(
    study: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "a.csv"
    words = ["predict", str(study / "1"), "--model", str(tiny_model), "-o", str(table)]
    assert run([*words, "--report", str(tmp_path / "a.html")]) == 0
    assert "holds no rule for series" in capsys.readouterr().err
    assert len(rows(table)) == 24
    assert "no rule for series" in (tmp_path / "a.html").read_text("utf-8")


def test_damage_is_a_row_and_an_exit_code(
    study: Path, series_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "v"
    write_nifti(folder / "good.nii.gz", volume(()), AFFINE)
    (folder / "torn.nii.gz").write_bytes((folder / "good.nii.gz").read_bytes()[:2000])
    words = ["predict", str(folder), "--model", str(series_model), "-o", str(tmp_path / "a.csv")]
    assert run(words) == 4
    assert "torn.nii.gz" in capsys.readouterr().err
    found = {Path(row["path"]).name: row for row in rows(tmp_path / "a.csv")}
    assert found["torn.nii.gz"]["decision"] == "unreadable"
    assert found["torn.nii.gz"]["reasons"] == "damaged"
    (folder / "good.nii.gz").unlink()
    assert run(words) == 3
    assert "No series could be read" in capsys.readouterr().err


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 60, (64, 64)).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "mixed"
    picture(folder / "a.png")
    picture(folder / "more" / "b.png")
    write_nifti(folder / "more" / "c.nii", volume((8, 9, 10, 11)), AFFINE)
    write_series(folder / "d", volume(()), AFFINE)
    for path in (folder / "d").iterdir():
        path.rename(path.with_suffix(""))
    for path in sorted((folder / "d").iterdir())[14:]:
        path.unlink()
    (folder / "notes.txt").write_text("x")
    return folder


def test_pictures_and_volumes_of_one_folder_are_both_answered(
    mixed: Path, series_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, page = tmp_path / "all.csv", tmp_path / "all.html"
    words = ["predict", str(mixed), "--model", str(series_model)]
    assert run([*words, "-o", str(table), "--report", str(page)]) == 0
    shown = capsys.readouterr().err
    found = rows(table)
    assert [Path(row["path"]).name for row in found] == ["a.png", "b.png", "0000", "c.nii"]
    assert [bool(row["sha256"]) for row in found] == [True, True, False, False]
    assert [row["decision"] for row in found[2:]] == ["no tumour", "tumour"]
    assert [row["slices"] for row in found] == ["", "", "14", "24"]
    assert "2 images" in shown
    assert "2 series" in shown
    assert "format" not in shown
    assert "1 file that is no image" in shown
    assert page.read_text("utf-8").count("a.png") > 0
    assert (tmp_path / "all-series.html").read_text("utf-8").count("<section") == 2
    assert run([*words, "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["findings"]) == 4
    assert document["series_decisions"] == {"no tumour": 1, "tumour": 1}
    assert sum(document["decisions"].values()) == 2
    assert run([*words, "--slices", "--quiet", "-o", str(table)]) == 0
    assert len(rows(table)) == 2 + 14 + 24


def test_files_of_both_kinds_may_be_named_one_by_one(
    mixed: Path, series_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(mixed / "a.png"), str(mixed / "more" / "c.nii")]
    assert run(["predict", *files, "--model", str(series_model), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [Path(row["path"]).name for row in found] == ["a.png", "c.nii"]
    folders = [str(mixed / "d"), str(mixed / "a.png")]
    assert run(["predict", *folders, "--model", str(series_model), "--json", "--quiet"]) == 0
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 2


def test_without_the_extra_pictures_are_answered_and_volumes_are_said_to_be_left_out(
    mixed: Path,
    series_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tumorscope.cli.predict_files._reads_volumes", lambda: False)
    assert run(["predict", str(mixed), "--model", str(series_model), "--json"]) == 4
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)["findings"]) == 2
    assert "Left out: 15 files in formats that are not read here" in shown.err


def test_icons_of_a_viewer_are_rows_without_an_answer(
    series_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    icons = tmp_path / "disc"
    write_series(icons / "1", volume(()), AFFINE)
    picture(icons / "viewer.png")
    assert run(["predict", str(icons), "--model", str(series_model), "--json"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert document["series"] == 1
    assert [row["decision"] for row in document["findings"]] == ["no tumour", "passed over"]
    assert "1 picture was not looked at" in shown.err


def test_options_of_volumes_need_volumes(
    study: Path, series_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(picture(tmp_path / "p" / "a.png")), "--model", str(series_model)]
    assert run([*words, "--slices"]) == 2
    assert "option for volumes" in capsys.readouterr().err
    assert run(["predict", str(study), "--model", str(series_model), "-o", "a.txt"]) == 2
    assert run(["predict", str(study), "--model", str(series_model), "--resume"]) == 2


def test_overlays_show_key_slices_and_nobody(
    study: Path, series_model: Path, tmp_path: Path
) -> None:
    table, overlays = tmp_path / "a.csv", tmp_path / "overlays"
    words = ["predict", str(study), "--model", str(series_model), "--quiet", "-o", str(table)]
    assert run([*words, "--overlays", str(overlays)]) == 0
    names = sorted(each.name for each in overlays.iterdir())
    assert len(names) == 10
    found = rows(table)
    assert found[0]["overlay"] in names
    assert found[2]["overlay"] == ""
    assert all(re.fullmatch(r"[0-9a-f]{12}-axial-\d{4}\.png", name) for name in names)
    assert not any(b"SECRET" in each.read_bytes() for each in overlays.iterdir())
    assert run([*words, "--slices", "--overlays", str(overlays)]) == 0
    assert sum(bool(row["overlay"]) for row in rows(table)) == 10
    inside = study.parent / "inside"
    shutil.copytree(study, inside)
    words[1] = str(inside)
    for _ in range(2):
        assert run([*words, "--overlays", str(inside / "overlays")]) == 0
        assert [row["decision"] for row in rows(table)] == ["tumour", "no tumour", "passed over"]


def test_an_interrupted_study_goes_on_by_the_content_of_its_series(
    study: Path,
    series_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table, page, overlays = tmp_path / "a.jsonl", tmp_path / "a.html", tmp_path / "o"
    words = ["predict", str(study), "--model", str(series_model), "-o", str(table)]
    words += ["--report", str(page), "--overlays", str(overlays)]
    assert run(words) == 0
    whole, drawn = table.read_text(), page.read_text("utf-8")
    asked: list[str] = []
    detect = detect_volumes

    def detecting(*given: Any, **named: Any) -> Iterator[Any]:
        asked.append(given[1].path)
        if len(asked) == 2:
            raise KeyboardInterrupt
        yield from detect(*given, **named)

    monkeypatch.setattr(study_outputs, "detect_volumes", detecting)
    assert run(words) == 130
    assert (tmp_path / "a.jsonl.log").exists()
    assert run(words) == 2
    assert "Add --resume" in capsys.readouterr().err
    assert run([*words, "--resume", "--every", "4"]) == 3
    assert "log of another batch" in capsys.readouterr().err
    assert run([*words, "--resume"]) == 0
    assert "1 of them from the log" in capsys.readouterr().err
    assert len(asked) == 3
    assert without_times(table.read_text()) == without_times(whole)
    assert page.read_text("utf-8") == drawn
    assert not (tmp_path / "a.jsonl.log").exists()


def test_what_was_too_large_is_read_with_more_memory(
    study: Path, series_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["predict", str(study), "--model", str(series_model), "-o", str(tmp_path / "a.csv")]
    detect, asked = detect_volumes, list[str]()

    def detecting(*given: Any, **named: Any) -> Iterator[Any]:
        asked.append(given[1].path)
        if len(asked) == 2:
            raise KeyboardInterrupt
        yield from detect(*given, **named)

    monkeypatch.setattr(study_outputs, "detect_volumes", detecting)
    with monkeypatch.context() as patch:
        patch.setattr("tumorscope.common.memory.IMAGES.limit", 1000)
        assert run(words) == 130
    assert run([*words, "--resume"]) == 0
    assert rows(tmp_path / "a.csv")[0]["decision"] == "tumour"


def without_times(text: str) -> str:
    return re.sub(r'"ms": [0-9.]+', "", text)


def test_files_of_one_series_that_are_named_one_by_one_are_one_series(
    study: Path, series_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(path) for path in sorted((study / "1").iterdir())]
    assert run(["predict", *files, "--model", str(series_model), "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["series"], document["findings"][0]["slices"]) == (1, 24)


def test_describe_says_how_series_are_answered(
    series_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["describe", str(series_model)]) == 0
    assert "no tumour below a score of -0.50, tumour at 0.50" in capsys.readouterr().out


def test_dicom_results_lie_in_a_folder_and_nifti_has_none(
    study: Path, series_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    words = ["predict", "--model", str(series_model), "--json", "--dicom-results", str(out)]
    assert run([*words, str(study)]) == 0
    told = capsys.readouterr()
    document = json.loads(told.out)["dicom_results"]
    assert document == {
        "folder": str(out),
        "written": 2,
        "stored": 0,
        "without": 0,
        "refused": 0,
    }
    assert sorted(path.name[:8] for path in out.iterdir()) == ["SC-2.25."] * 2 + ["SR-2.25."] * 2
    assert "DICOM results of 2 series" in told.err
    assert "SECRET" not in told.err
    other = write_nifti(tmp_path / "a.nii", volume(()), AFFINE)
    assert run([*words, str(study), str(other)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["dicom_results"]["without"] == 1
    assert "1 series without DICOM results" in told.err
    assert run([*words, str(other)]) == 3
    assert "for NIfTI files alone" in capsys.readouterr().err
    table = str(tmp_path / "a.csv")
    assert run([*words, str(study), "-o", table, "--resume"]) == 2
    assert "--resume with --dicom-results" in capsys.readouterr().err
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "a.png")
    assert run([*words, str(tmp_path / "a.png")]) == 2
    assert "--dicom-results" in capsys.readouterr().err
