from __future__ import annotations

import json
from pathlib import Path

import pytest

from tumorscope.cli.app import run
from tumorscope.cohort.scan import scan_folder


def test_writes_both_classes_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "phantoms"
    words = ["phantom", str(folder), "--n", "4", "--seed", "2", "--duplicates", "2", "--json"]
    assert run(words) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["images"] == {"yes": 3, "no": 3}
    assert len(scan_folder(folder)) == 6


def test_table_and_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["phantom", str(tmp_path / "p"), "--n", "2", "--quiet"]) == 0
    output = capsys.readouterr()
    assert [line.split()[-2:] for line in output.out.splitlines()] == [["1", "images"]] * 2
    assert output.err == ""


@pytest.mark.parametrize("words", [["--n", "1"], ["--duplicates", "-1"], ["--n", "many"]])
def test_wrong_numbers_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(["phantom", str(tmp_path / "p"), *words]) == 2
    assert not (tmp_path / "p").exists()
    output = capsys.readouterr()
    assert output.out + output.err != ""


def test_a_folder_with_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["phantom", str(tmp_path), "--n", "2"]) == 2
    assert "holds files already" in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["phantom", "--help"]) == 0
    assert "tumorscope phantom phantoms/" in capsys.readouterr().out
