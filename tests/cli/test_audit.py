"""``tumorscope audit`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tumorscope.cli.app import run


def test_it_prints_a_table_and_names_the_report(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["audit", str(tiny_cohort), "-o", str(out)]) == 0
    printed = capsys.readouterr()
    assert "Label conflicts" in printed.out
    assert "6 tumour in 6 groups, 6 no tumour in 6 groups" in printed.out
    assert f"Open {out / 'report.html'}" in printed.err
    assert sorted(file.name for file in out.iterdir()) == [
        "audit.json",
        "manifest.csv",
        "report.html",
    ]


def test_json_on_standard_output_is_one_document(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["audit", str(tiny_cohort), "--against", str(tiny_cohort), "-o", str(out)]
    assert run([*words, "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document == json.loads((out / "audit.json").read_text())
    assert len(document["overlap"]) == 12
    assert printed.err == ""


def test_unreadable_files_make_exit_code_4_and_are_listed(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (tiny_cohort / "yes/yes0.png").read_bytes()
    (tiny_cohort / "no/cut.png").write_bytes(whole[: len(whole) // 2])
    assert run(["audit", str(tiny_cohort), "-o", str(tmp_path / "out")]) == 4
    printed = capsys.readouterr()
    assert "13, of which 1 unreadable" in printed.out
    assert "no/cut.png" in printed.err


@pytest.mark.parametrize("content", ["missing", "empty", "one class"])
def test_unusable_folders_make_exit_code_3_and_one_paragraph(
    tmp_path: Path, tiny_cohort: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    data = tmp_path / "bad"
    if content != "missing":
        data.mkdir()
    if content == "one class":
        (tiny_cohort / "yes").rename(data / "yes")
    assert run(["audit", str(data), "-o", str(tmp_path / "out")]) == 3
    message = capsys.readouterr().err
    assert "Expected" in message
    assert "Traceback" not in message


def test_without_an_output_folder_it_is_wrong_usage(
    tiny_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", str(tiny_cohort)]) == 2


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--help"]) == 0
    assert "tumorscope audit scans/ -o audit/" in capsys.readouterr().out
